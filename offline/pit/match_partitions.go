package pit

import (
	"context"
	"math/bits"

	"golang.org/x/sync/errgroup"
)

// partitioned matches partition by partition.
func (m *matcher) partitioned(ctx context.Context, weight int64) error {
	const leastBuffer = 4 << 10
	most := max(1, m.budget.buffers/int64(m.config.Threads)/leastBuffer)
	log := bits.Len64(uint64(min(weight*3/2/m.bound, most, 512)))
	log = max(1, min(log, bits.Len64(uint64(most))-1))
	buffer := int(min(256<<10, max(leastBuffer, m.budget.buffers/int64(m.config.Threads)>>log)))
	isNarrow := narrow(m.view.classes)
	entities, err := newPartitions(m.dir, isNarrow, log, buffer)
	if err != nil {
		return err
	}
	defer entities.file.close()
	if err := m.partitionEntities(ctx, entities); err != nil {
		return err
	}
	features, err := newPartitions(m.dir, isNarrow, log, buffer)
	if err != nil {
		return err
	}
	defer features.file.close()
	if err := m.partitionFeatures(ctx, features); err != nil {
		return err
	}
	m.report.Passes++
	m.report.Partitions += 1 << log
	for i := range 1 << log {
		if err := m.partition(ctx, entities, features, i); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) partitionEntities(ctx context.Context, to *partitions) error {
	w := to.writer()
	for _, p := range m.spool.pieces {
		var e entityBatch
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.entities(&e, p); err != nil {
			return err
		}
		if err := w.addEntities(&e); err != nil {
			return err
		}
	}
	return w.close()
}

func (m *matcher) partitionFeatures(ctx context.Context, to *partitions) error {
	writers := make([]*partitionWriter, m.config.Threads)
	for i := range writers {
		writers[i] = to.writer()
	}
	err := scan(ctx, m.plan, m.view, m.parts, m.window, m.config.Threads, m.batch, &m.scanned, func(worker int, o *offers) error {
		return writers[worker].addOffers(o)
	})
	if err != nil {
		return err
	}
	for _, w := range writers {
		if err := w.close(); err != nil {
			return err
		}
	}
	return nil
}

// partition matches the rows of one partition: in one piece, unless one key has
// more rows than the spine may hold.
func (m *matcher) partition(ctx context.Context, entities, features *partitions, i int) error {
	var (
		buffer []byte
		s      *spine
		batch  entityBatch
		number []int64 // of the rows in s
		sorted byShard
	)
	finish := func() error {
		if s == nil {
			return nil
		}
		m.seal(s)
		if err := m.offerPartition(ctx, s, features, i); err != nil {
			return err
		}
		err := m.collect(ctx, s, func(row uint32) int64 { return number[row] })
		s, number = nil, number[:0]
		return err
	}
	for _, at := range entities.segments(i) {
		var err error
		if buffer, err = entities.file.read(buffer, at); err != nil {
			return err
		}
		entities.readEntities(&batch, buffer)
		rows := int64(len(batch.rows))
		weight := rows*(spineRowBytes+8) + 2*int64(len(batch.keys.bytes))
		if s != nil && s.size()+int64(len(number))*8+weight > m.bound {
			if err := finish(); err != nil {
				return err
			}
		}
		if s == nil {
			s = newSpine(entities.narrow, rows, m.view, m.plan.asServed)
		}
		numbers := make([]uint32, rows)
		for k := range numbers {
			numbers[k] = uint32(len(number) + k)
		}
		number = append(number, batch.rows...)
		s.add(&batch.keys, batch.times, numbers, &sorted)
	}
	return finish()
}

func (m *matcher) offerPartition(ctx context.Context, s *spine, features *partitions, i int) error {
	group, ctx := errgroup.WithContext(ctx)
	segments := features.segments(i)
	for worker := range m.config.Threads {
		group.Go(func() error {
			var (
				buffer []byte
				o      offers
				with   = offering{first: worker * spineShards / m.config.Threads}
			)
			for k := worker; k < len(segments); k += m.config.Threads {
				var err error
				if err := ctx.Err(); err != nil {
					return err
				}
				if buffer, err = features.file.read(buffer, segments[k]); err != nil {
					return err
				}
				features.readOffers(&o, buffer)
				s.offer(&o, &with)
			}
			return nil
		})
	}
	return group.Wait()
}
