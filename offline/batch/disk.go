package batch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Disk is Files beneath one folder of this machine. A link may lead anywhere within
// the folder, and nowhere else (BA5).
type Disk struct {
	dir  string
	root *os.Root
}

// OpenDisk returns the files beneath a folder, which must be there.
func OpenDisk(dir string) (*Disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of batch sources: %w", err)
	}
	return &Disk{dir, root}, nil
}

// Close closes the folder. Files that are open stay so.
func (d *Disk) Close() error { return d.root.Close() }

// hasMeta reports whether a segment of a path is a glob.
func hasMeta(segment string) bool { return strings.ContainsAny(segment, `*?[\`) }

// local returns a pattern as a path beneath the root.
func (d *Disk) local(pattern string) (string, error) {
	name := filepath.FromSlash(pattern)
	if filepath.IsAbs(name) {
		inside, err := filepath.Rel(d.dir, name)
		if err != nil || !filepath.IsLocal(inside) {
			return "", fmt.Errorf("path %q is not within %s, the folder that batch sources are read from", pattern, d.dir)
		}
		name = inside
	}
	if name = filepath.Clean(name); !filepath.IsLocal(name) {
		return "", fmt.Errorf("path %q leads out of the folder that batch sources are read from", pattern)
	}
	return filepath.ToSlash(name), nil
}

// List implements Files. In folders and by globs, files and folders whose names begin
// with "." or "_" are passed over, and so are files of a folder that are in no format
// there is.
func (d *Disk) List(ctx context.Context, pattern string) ([]File, error) {
	name, err := d.local(pattern)
	if err != nil {
		return nil, err
	}
	names := []string{"."}
	for segment := range strings.SplitSeq(name, "/") {
		if names, err = d.step(ctx, names, segment); err != nil {
			return nil, fmt.Errorf("list %s: %w", pattern, err)
		}
	}
	var out []File
	for _, name := range names {
		if err := d.walk(ctx, name, false, &out); err != nil {
			return nil, fmt.Errorf("list %s: %w", pattern, err)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("path %q names no file: nothing of that name is in the folder that batch sources are read from", pattern)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b File) bool { return a.Name == b.Name }), nil
}

// step goes one segment of a path on from every name.
func (d *Disk) step(ctx context.Context, names []string, segment string) (out []string, err error) {
	if !hasMeta(segment) {
		for _, name := range names {
			next := path.Join(name, segment)
			if _, err := d.root.Stat(next); errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, outsideLink(err)
			}
			out = append(out, next)
		}
		return out, nil
	}
	if _, err := path.Match(segment, ""); err != nil {
		return nil, fmt.Errorf("%q is no glob: %w", segment, err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, isFolder, err := d.entries(name)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if ok, _ := path.Match(segment, e); ok && isFolder && !isHidden(e) {
				out = append(out, path.Join(name, e))
			}
		}
	}
	return out, nil
}

func isHidden(name string) bool { return name[0] == '.' || name[0] == '_' }

// entries are the names in a folder; none for what is no folder.
func (d *Disk) entries(name string) (names []string, isFolder bool, err error) {
	info, err := d.root.Stat(name)
	if err != nil || !info.IsDir() {
		return nil, false, outsideLink(err)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, false, outsideLink(err)
	}
	defer f.Close()
	names, err = f.Readdirnames(-1)
	return names, true, err
}

// maxDepth bounds how deep folders may lie in one another: a link may lead back up.
const maxDepth = 32

// walk adds a file, or all that are in a folder.
func (d *Disk) walk(ctx context.Context, name string, within bool, out *[]File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := d.root.Stat(name)
	if err != nil {
		return outsideLink(err)
	}
	if !info.IsDir() {
		if !within || isKnown(name) {
			*out = append(*out, File{Name: name, SizeBytes: info.Size(), Modified: info.ModTime()})
		}
		return nil
	}
	if strings.Count(name, "/") > maxDepth {
		return fmt.Errorf("%s: folders lie more than %d deep", name, maxDepth)
	}
	names, _, err := d.entries(name)
	if err != nil {
		return err
	}
	for _, e := range names {
		if !isHidden(e) {
			if err := d.walk(ctx, path.Join(name, e), true, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// isKnown reports whether a name ends as a format does.
func isKnown(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	return slices.Contains([]string{".csv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".ipc", ".feather"}, path.Ext(name))
}

// Open implements Files.
func (d *Disk) Open(_ context.Context, name string) (*os.File, error) {
	local, err := d.local(name)
	if err != nil {
		return nil, err
	}
	// Without O_NONBLOCK, opening a pipe would wait for who writes to it.
	f, err := d.root.OpenFile(local, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, outsideLink(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: it is no regular file but %s", name, info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// outsideLink says what the library means by an escape.
func outsideLink(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && strings.Contains(p.Err.Error(), "escapes") {
		return fmt.Errorf("%s leads out of the folder that batch sources are read from, by a link", p.Path)
	}
	return err
}
