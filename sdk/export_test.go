package sdk

import "context"

// ProbeAll probes the stores once, as Run does again and again.
func (c *Client) ProbeAll(ctx context.Context) { c.probeAll(ctx) }
