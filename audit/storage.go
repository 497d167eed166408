package audit

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
)

// takeStorage records the keys and sizes, but not the values, of everything that the documents of a page
// have in storage other than cookies. The hook reports which script wrote an item, and misses items that
// were written earlier or elsewhere.
func (v *visit) takeStorage(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	seen := map[string]bool{}
	for _, t := range append([]cdp.Target{{Session: v.page}}, v.recorder.targets.Open("iframe")...) {
		err := v.storageOf(limit, t.Session, seen)
		switch refusal := (*cdp.Error)(nil); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refusal): // the frame is gone
		case errors.Is(err, context.DeadlineExceeded):
			v.timeouts++
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

func (v *visit) storageOf(ctx context.Context, session string, seen map[string]bool) error {
	frames, err := v.framesOf(ctx, session)
	if err != nil {
		return err
	}
	for _, f := range frames {
		var answer struct{ StorageKey string }
		err := v.browser.Call(ctx, session, "Storage.getStorageKeyForFrame", map[string]any{"frameId": f.Frame.ID}, &answer)
		if refusal := (*cdp.Error)(nil); errors.As(err, &refusal) {
			continue // a document without storage
		}
		if err != nil {
			return err
		}
		key := answer.StorageKey
		if where, _ := storageKey(key); where == nil || seen[key] || len(seen) >= maxStorageKeys {
			continue
		}
		seen[key] = true
		if err := v.keysOf(ctx, session, key); err != nil {
			return err
		}
	}
	return nil
}

// maxStorageKeys is of how many origins on a page the storage is taken.
const maxStorageKeys = 200

// keysOf records all that is stored under a storage key.
func (v *visit) keysOf(ctx context.Context, session, key string) error {
	type object = map[string]any
	where, partition := storageKey(key)
	var found []write
	add := func(kind, subject string, size int) {
		found = append(found, write{kind: kind, subject: subject, size: size, where: where, partition: partition})
	}
	for kind, isLocal := range map[string]bool{"local": true, "session": false} {
		var items struct{ Entries [][]string } // key and value
		if err := v.ask(ctx, session, "DOMStorage.getDOMStorageItems",
			object{"storageId": object{"storageKey": key, "isLocalStorage": isLocal}}, &items); err != nil {
			return err
		}
		for _, e := range items.Entries {
			if len(e) == 2 {
				add(kind, e[0], len(e[1]))
			}
		}
	}
	var databases struct{ DatabaseNames []string }
	if err := v.ask(ctx, session, "IndexedDB.requestDatabaseNames", object{"storageKey": key}, &databases); err != nil {
		return err
	}
	for _, name := range databases.DatabaseNames {
		add("indexeddb", name, 0)
	}
	var caches struct {
		Caches []struct{ CacheName string }
	}
	if err := v.ask(ctx, session, "CacheStorage.requestCacheNames", object{"storageKey": key}, &caches); err != nil {
		return err
	}
	for _, c := range caches.Caches {
		add("cache", c.CacheName, 0)
	}
	v.recorder.mu.Lock()
	defer v.recorder.mu.Unlock()
	for _, w := range found {
		w.step, w.at = v.recorder.step, time.Now()
		v.recorder.addWrite(w)
	}
	return nil
}

// ask is Call for what a document may not have: a refusal is no error.
func (v *visit) ask(ctx context.Context, session, method string, params, result any) error {
	err := v.browser.Call(ctx, session, method, params, result)
	if refusal := (*cdp.Error)(nil); errors.As(err, &refusal) {
		return nil
	}
	return err
}

// storageKey returns the origin of a storage key, and the site of the page in which it is partitioned,
// or "". The form is that of Chromium: an origin, then fields that begin with ^ and a digit.
func storageKey(key string) (origin *url.URL, partition string) {
	text, fields, _ := strings.Cut(key, "^")
	for field := range strings.SplitSeq(fields, "^") {
		if site, found := strings.CutPrefix(field, "0"); found {
			partition = site
		}
	}
	return parseURL(text), partition
}
