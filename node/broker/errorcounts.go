package broker

import (
	"reflect"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errorCounts finds the error codes in responses.
type errorCounts struct {
	walks sync.Map // of all types of structs met so far, by reflect.Type: a codeWalk, nil where there are no codes
}

// In tells of every error code in a response, 0 included, with how often it is there.
func (c *errorCounts) In(answer kmsg.Response, note func(code int16, n int)) {
	var run codeRun
	switch answer := answer.(type) {
	case *kmsg.ProduceResponse: // what brokers send most often
		for i := range answer.Topics {
			for j := range answer.Topics[i].Partitions {
				run.add(answer.Topics[i].Partitions[j].ErrorCode, note)
			}
		}
	case *kmsg.FetchResponse:
		if answer.Version >= 7 {
			run.add(answer.ErrorCode, note)
		}
		for i := range answer.Topics {
			for j := range answer.Topics[i].Partitions {
				run.add(answer.Topics[i].Partitions[j].ErrorCode, note)
			}
		}
	case *kmsg.MetadataResponse: // its own code came after Kafka 3.9
		for i := range answer.Topics {
			run.add(answer.Topics[i].ErrorCode, note)
			for j := range answer.Topics[i].Partitions {
				run.add(answer.Topics[i].Partitions[j].ErrorCode, note)
			}
		}
	default:
		v := reflect.ValueOf(answer).Elem()
		if walk := c.of(v.Type()); walk != nil {
			walk(v, func(code int16) { run.add(code, note) })
		}
	}
	run.end(note)
}

// codeRun gathers equal codes in a row.
type codeRun struct {
	code int16
	n    int
}

func (r *codeRun) add(code int16, note func(int16, int)) {
	if r.n > 0 && r.code != code {
		r.end(note)
	}
	r.code = code
	r.n++
}

func (r *codeRun) end(note func(int16, int)) {
	if r.n > 0 {
		note(r.code, r.n)
	}
	r.n = 0
}

// codeWalk visits the error codes in a struct.
type codeWalk func(v reflect.Value, visit func(int16))

// of finds where the error codes of a type are.
func (c *errorCounts) of(t reflect.Type) codeWalk {
	if found, ok := c.walks.Load(t); ok {
		return found.(codeWalk)
	}
	var steps []codeWalk
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Name == "ErrorCode" && f.Type.Kind() == reflect.Int16:
			steps = append(steps, func(v reflect.Value, visit func(int16)) { visit(int16(v.Field(i).Int())) })
		case f.Type.Kind() == reflect.Struct:
			if inner := c.of(f.Type); inner != nil {
				steps = append(steps, func(v reflect.Value, visit func(int16)) { inner(v.Field(i), visit) })
			}
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			if inner := c.of(f.Type.Elem()); inner != nil {
				steps = append(steps, func(v reflect.Value, visit func(int16)) {
					for n := range v.Field(i).Len() {
						inner(v.Field(i).Index(n), visit)
					}
				})
			}
		}
	}
	var walk codeWalk
	if len(steps) > 0 {
		walk = func(v reflect.Value, visit func(int16)) {
			for _, step := range steps {
				step(v, visit)
			}
		}
	}
	c.walks.Store(t, walk)
	return walk
}
