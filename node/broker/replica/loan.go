package replica

import (
	"math/bits"
	"sync"
)

// The sizes of memory that is lent: powers of two. Less is not worth it, more is rare.
const (
	leastLoan = 10 // 1 KiB
	mostLoan  = 22 // 4 MiB
)

// lender keeps memory that records were read into, for the next fetches. Sending them from the file without reading them (sendfile)
// was tried: on loopback it saves a broker a tenth of its time and costs its reader more than that, which then copies from
// where no processor cache holds them. So was answering followers from the memory that producers' requests had come in: nine of
// ten reads were spared, and no time, since by then that memory is as far from the processor as the file's pages are.
type lender struct{ free [mostLoan + 1]sync.Pool }

// A loan is the memory of one answer to a fetch.
type loan struct {
	from  *lender
	taken []*[]byte
}

// take returns n bytes, whatever they hold.
func (l *loan) take(n int) []byte {
	class := max(bits.Len(uint(max(n-1, 0))), leastLoan)
	if class > mostLoan {
		return make([]byte, n)
	}
	b, ok := l.from.free[class].Get().(*[]byte)
	if !ok {
		fresh := make([]byte, 1<<class)
		b = &fresh
	}
	l.taken = append(l.taken, b)
	return (*b)[:n]
}

// end gives all back: nobody may use it any more.
func (l *loan) end() {
	for _, b := range l.taken {
		l.from.free[bits.Len(uint(len(*b)-1))].Put(b)
	}
	l.taken = nil
}
