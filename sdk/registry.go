package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"featurestore/api"
)

// Views returns the feature views of the project, in declared order.
func (c *Client) Views(ctx context.Context) ([]api.View, error) {
	list, err := get[api.Catalog](ctx, c, c.path("views"))
	return list.Views, err
}

// View returns one feature view; errors.Is ErrViewNotFound when there is none.
func (c *Client) View(ctx context.Context, name string) (api.View, error) {
	return get[api.View](ctx, c, c.path("views/"+url.PathEscape(name)))
}

// Entities returns the entities of the project, in declared order.
func (c *Client) Entities(ctx context.Context) ([]api.Entity, error) {
	list, err := get[api.Catalog](ctx, c, c.path("entities"))
	return list.Entities, err
}

// Services returns the feature services of the project, in declared order.
func (c *Client) Services(ctx context.Context) ([]api.Service, error) {
	list, err := get[api.Catalog](ctx, c, c.path("services"))
	return list.Services, err
}

// OnDemands returns the on-demand views of the project, in declared order.
func (c *Client) OnDemands(ctx context.Context) ([]api.OnDemand, error) {
	list, err := get[api.Catalog](ctx, c, c.path("on-demand"))
	return list.OnDemands, err
}

// Groups returns the replication groups of the project, by name.
func (c *Client) Groups(ctx context.Context) ([]api.Group, error) {
	list, err := get[api.Catalog](ctx, c, c.path("groups"))
	return list.Groups, err
}

// Projects returns the projects of the store, the client's own among them or
// not.
func (c *Client) Projects(ctx context.Context) ([]api.Project, error) {
	list, err := get[api.Projects](ctx, c, "/v1/projects")
	return list.Projects, err
}

// Plan returns what applying definitions, in YAML or JSON, would change.
// Definitions that cannot be applied are an *Error whose Problem lists the
// faults.
func (c *Client) Plan(ctx context.Context, definitions []byte) (api.Plan, error) {
	return c.planned(ctx, &request{op: "plan", path: c.path("plan"), read: true}, definitions)
}

// Apply makes the project as definitions, in YAML or JSON, say: all or nothing.
// With expect, the From of a Plan, it changes nothing and returns ErrConflict
// when the project has changed since; nil applies to whatever is there.
func (c *Client) Apply(ctx context.Context, definitions []byte, expect *uint64) (api.Plan, error) {
	path := c.path("apply")
	if expect != nil {
		path += "?expect=" + strconv.FormatUint(*expect, 10)
	}
	return c.planned(ctx, &request{op: "apply", path: path}, definitions)
}

func (c *Client) planned(ctx context.Context, r *request, definitions []byte) (api.Plan, error) {
	r.method, r.body, r.contentType = http.MethodPost, definitions, api.MediaYAML
	a, err := c.do(ctx, r)
	if err != nil {
		return api.Plan{}, err
	}
	defer a.free()
	return decodeAs[api.Plan](a)
}

// get reads one JSON answer.
func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	a, err := c.do(ctx, &request{op: "get " + path, method: http.MethodGet, path: path, read: true})
	if err != nil {
		var none T
		return none, err
	}
	defer a.free()
	return decodeAs[T](a)
}

func decodeAs[T any](a *answer) (T, error) {
	var out T
	if err := json.Unmarshal(a.body(), &out); err != nil {
		return out, fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	return out, nil
}
