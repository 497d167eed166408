package evidence

import (
	"context"
	"fmt"
	"time"
)

// Bounded returns a storage whose calls return after a time, even if those of the storage do not: file
// systems that hang know no context. A call that was given up goes on, and keeps the place that it has: a
// storage that hangs holds a few goroutines and what they write, and no more.
func Bounded(s Storage, longest time.Duration) Storage {
	return &bounded{storage: s, longest: longest, reads: make(chan struct{}, 4), writes: make(chan struct{}, 1)}
}

type bounded struct {
	storage       Storage
	longest       time.Duration
	reads, writes chan struct{} // places for calls
}

// call calls f if there is a place, and waits for it.
func call[T any](ctx context.Context, b *bounded, places chan struct{}, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, b.longest)
	type result struct {
		value T
		err   error
	}
	var none T
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		cancel()
		return none, fmt.Errorf("the storage is busy with an earlier call: %w", ctx.Err())
	}
	done := make(chan result, 1)
	go func() {
		defer cancel()
		defer func() { <-places }()
		value, err := f(ctx)
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		select { // both may be ready
		case r := <-done:
			return r.value, r.err
		default:
		}
		return none, fmt.Errorf("the storage does not answer: %w", ctx.Err())
	}
}

func (b *bounded) Store(ctx context.Context, key string, value []byte) error {
	_, err := call(ctx, b, b.writes, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.storage.Store(ctx, key, value)
	})
	return err
}

func (b *bounded) Delete(ctx context.Context, key string) error {
	_, err := call(ctx, b, b.writes, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.storage.Delete(ctx, key)
	})
	return err
}

func (b *bounded) Load(ctx context.Context, key string) ([]byte, error) {
	return call(ctx, b, b.reads, func(ctx context.Context) ([]byte, error) { return b.storage.Load(ctx, key) })
}

func (b *bounded) Size(ctx context.Context, key string) (int64, error) {
	return call(ctx, b, b.reads, func(ctx context.Context) (int64, error) { return b.storage.Size(ctx, key) })
}

func (b *bounded) List(ctx context.Context, prefix string) ([]string, error) {
	return call(ctx, b, b.reads, func(ctx context.Context) ([]string, error) { return b.storage.List(ctx, prefix) })
}
