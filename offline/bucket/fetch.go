package bucket

import (
	"context"
	"errors"
	"os"
	"path"
)

// Fetch copies the object of a URL to a new file of a folder ("": the system's for
// temporary files), whose name ends as the object's does. The caller removes it.
func Fetch(ctx context.Context, url, dir string) (file string, err error) {
	at, name, err := Split(url)
	if err != nil {
		return "", err
	}
	b, err := at.Open(ctx, Options{})
	if err != nil {
		return "", err
	}
	return b.Fetch(ctx, name, dir)
}

// Fetch is as the function Fetch, of an object of the bucket.
func (b *Bucket) Fetch(ctx context.Context, name, dir string) (file string, err error) {
	key, err := b.key(name)
	if err != nil {
		return "", b.failed("fetch", name, err)
	}
	to, err := os.CreateTemp(dir, "featurestore-*-"+path.Base(name))
	if err != nil {
		return "", b.failed("fetch", name, err)
	}
	o := newObject(ctx, b, name, key)
	if err := o.fetchTo(to); err != nil {
		return "", b.failed("fetch", name, errors.Join(err, os.Remove(to.Name())))
	}
	return to.Name(), nil
}

// OpenFile is Fetch to a file without a name, which goes with its closing. It is at
// its beginning.
func (b *Bucket) OpenFile(ctx context.Context, name string) (_ *os.File, err error) {
	path, err := b.Fetch(ctx, name, b.spoolDir)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err = errors.Join(err, os.Remove(path)); err != nil {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		return nil, b.failed("open", name, err)
	}
	return f, nil
}

// fetchTo writes all of the object to a file, and closes it.
func (o *object) fetchTo(file *os.File) error {
	head, err := o.first()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	o.blocks = &spool{size: o.size, head: head}
	o.blocks.have = make([]bool, o.blocks.count())
	if err := o.blocks.moveTo(file); err != nil {
		return err
	}
	if o.blocks.count() > 0 {
		o.blocks.have[0] = true
	}
	return errors.Join(o.fetch(0, o.blocks.count()), o.blocks.close())
}
