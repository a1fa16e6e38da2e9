package online

// arena hands out memory that is given back all at once.
type arena struct{ chunk []byte }

const arenaChunkBytes = 256 << 10

// copy returns a copy of b that lives until reset.
func (a *arena) copy(b []byte) []byte {
	if len(b) > cap(a.chunk)-len(a.chunk) {
		// Whoever uses the old chunk keeps it alive.
		a.chunk = make([]byte, 0, max(arenaChunkBytes, len(b)))
	}
	from := len(a.chunk)
	a.chunk = append(a.chunk, b...)
	return a.chunk[from:len(a.chunk):len(a.chunk)]
}

func (a *arena) reset() { a.chunk = a.chunk[:0] }
