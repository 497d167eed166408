package audit

import (
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
)

// Bounds of what is recorded of one state: requests, writes and readers among scripts, bytes of names and
// lines, bytes of one line. What is more is counted as dropped, and makes the state incomplete.
const (
	maxRequests = 20_000
	maxWrites   = 20_000
	maxReads    = 5_000
	maxBytes    = 64 << 20
	maxLine     = 16 << 10
)

// request is one hop of a request that the browser sent. Its lines hold values of cookies until they have
// been judged.
type request struct {
	id, session string
	step        int
	at          time.Time
	url         *url.URL
	method      string
	kind        string // Document, Script, Ping, …
	document    string // the page or frame that asked, also for a frame; "" for a page and where it is not known
	initiator   setter
	frame       string
	hasExtra    *bool // whether the browser reports its cookies; nil if that is not known
	status      int
	mime        string
	address     string // of who answered
	failed      string
	firewall    string
	held        bool // it failed, perhaps by a Content-Security-Policy
	unsent      bool // for that reason it never left the browser: no event tells what was sent

	sent    []sentCookie
	lines   []string // Set-Cookie lines
	blocked []blockedLine
}

type sentCookie struct{ name, domain, path, partition string }

type blockedLine struct {
	line    string
	reasons []string
}

// write is what a script stored, as the hook reports it.
type write struct {
	step    int
	at      time.Time
	kind    string // document.cookie, cookieStore, local, session, indexeddb, cache, worker
	subject string // the line, or the key
	size    int
	where   *url.URL

	partition string // of storage: the site of the page in which it is kept apart

	setter setter
}

// setter is who stored a cookie, or asked for a request.
type setter struct {
	Kind  string   // header, script, canary, unattributed; for requests the browser's word
	URL   string   // without the values of its query
	Line  int      // counted from 1
	Stack []string // URL:line, the innermost first
}

// recorder takes the browser's events. Its fields are guarded by mu.
type recorder struct {
	conn    *cdp.Conn
	targets *cdp.Targets
	hook    hook
	secrets credentials

	mu       sync.Mutex
	step     int
	mainPage string // its target
	requests []*request
	hops     map[string][]*request
	reqExtra map[string][]sentExtra
	resExtra map[string][]receivedExtra
	writes   []write
	reads    map[readKey]int
	inFlight map[string]string // sessions by request
	outer    map[string]string // of each frame within another one, that one
	active   time.Time         // when a request began or ended last
	loads    int               // load events of the main page
	bytes    int
	dropped  int
	dialogs  int
	crashed  bool // the main page
}

// sentExtra is what the browser reports about a request's cookies, perhaps before the request itself.
type sentExtra struct {
	cookies []sentCookie
	url     *url.URL // without a path, from the fields; for a request of which it tells nothing else
	step    int
	at      time.Time
}

type receivedExtra struct {
	lines   []string
	blocked []blockedLine
}

func newRecorder(h hook, secrets credentials) *recorder {
	r := &recorder{
		hook: h, secrets: secrets, reads: map[readKey]int{}, hops: map[string][]*request{},
		reqExtra: map[string][]sentExtra{},
		resExtra: map[string][]receivedExtra{}, inFlight: map[string]string{}, outer: map[string]string{}, active: time.Now(),
	}
	r.targets = cdp.NewTargets(func(t cdp.Target) []cdp.Setup { return append(secrets.setup(t), h.setup(t)...) })
	return r
}

// event takes an event of the browser.
func (r *recorder) event(e *cdp.Event) error {
	if handled, err := r.targets.Handle(r.conn, e); handled {
		r.target(e)
		return err
	}
	if e.Method == "Fetch.requestPaused" {
		return r.secrets.paused(r.conn, e)
	}
	target, known := r.targets.Session(e.Session)
	if !known || r.targets.SessionOf(target.ID) != e.Session && r.targets.SessionOf(target.ID) != "" {
		return nil // of the browser itself, or of the second session of a worker
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Method {
	case "Network.requestWillBeSent":
		return r.requestWillBeSent(e)
	case "Network.requestWillBeSentExtraInfo":
		return r.requestExtra(e)
	case "Network.responseReceivedExtraInfo":
		return r.responseExtra(e)
	case "Network.responseReceived":
		return r.response(e)
	case "Network.loadingFinished", "Network.loadingFailed":
		return r.finished(e)
	case "Network.webSocketCreated":
		return r.webSocket(e, target)
	case "Runtime.bindingCalled":
		return r.bindingCalled(e)
	case "DOMStorage.domStorageItemAdded", "DOMStorage.domStorageItemUpdated":
		return r.storageItem(e)
	case "ServiceWorker.workerRegistrationUpdated":
		return r.registrations(e)
	case "Page.loadEventFired":
		if target.ID == r.mainPage {
			r.loads++
		}
	case "Page.frameAttached":
		var p struct {
			Frame  string `json:"frameId"`
			Parent string `json:"parentFrameId"`
		}
		if err := e.Decode(&p); err != nil {
			return err
		}
		if r.hasRoom(len(r.outer), maxRequests, len(p.Frame)+len(p.Parent)) {
			r.outer[p.Frame] = p.Parent
		}
	case "Page.javascriptDialogOpening":
		r.dialogs++
		var p struct{ Type string }
		if err := e.Decode(&p); err != nil {
			return err
		}
		// A page that asks whether to stay is left all the same.
		return r.conn.Send(e.Session, "Page.handleJavaScriptDialog", map[string]any{"accept": p.Type == "beforeunload"})
	}
	return nil
}

// target takes what became of a target.
func (r *recorder) target(e *cdp.Event) {
	var p struct {
		Session string `json:"sessionId"`
	}
	if e.Decode(&p) != nil {
		return // counted already
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Method {
	case "Target.detachedFromTarget":
		for id, session := range r.inFlight {
			if session == p.Session {
				delete(r.inFlight, id)
			}
		}
	case "Inspector.targetCrashed":
		if t, known := r.targets.Session(e.Session); known && t.ID == r.mainPage {
			r.crashed = true
		}
	}
}

func (r *recorder) bindingCalled(e *cdp.Event) error {
	var p struct{ Name, Payload string }
	if err := e.Decode(&p); err != nil {
		return err
	}
	if p.Name != r.hook.binding {
		return nil
	}
	var call struct {
		Kind, Subject, Where, Stack string
		Size                        int
	}
	if err := json.Unmarshal([]byte(p.Payload), &call); err != nil {
		return err
	}
	if call.Kind == "read" {
		r.addRead(r.hook.scriptOf(call.Stack, call.Where).URL, parseURL(call.Where), call.Size)
		return nil
	}
	w := write{kind: call.Kind, subject: call.Subject, size: call.Size, where: parseURL(call.Where)}
	w.setter = r.hook.scriptOf(call.Stack, call.Where)
	w.step, w.at = r.step, time.Now()
	r.addWrite(w)
	return nil
}

func (r *recorder) storageItem(e *cdp.Event) error {
	var p struct {
		ID struct {
			SecurityOrigin, StorageKey string
			IsLocalStorage             bool
		} `json:"storageId"`
		Key, NewValue string
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	w := write{kind: "session", subject: p.Key, size: len(p.NewValue), step: r.step, at: time.Now()}
	if p.ID.IsLocalStorage {
		w.kind = "local"
	}
	if w.where, w.partition = storageKey(p.ID.StorageKey); w.where == nil {
		w.where = parseURL(p.ID.SecurityOrigin)
	}
	r.addWrite(w)
	return nil
}

// registrations records the scopes of service workers.
func (r *recorder) registrations(e *cdp.Event) error {
	var p struct {
		Registrations []struct {
			ScopeURL  string
			IsDeleted bool
		}
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	for _, g := range p.Registrations {
		if u := parseURL(g.ScopeURL); u != nil && !g.IsDeleted {
			r.addWrite(write{step: r.step, at: time.Now(), kind: "worker", subject: shownURL(u), where: u})
		}
	}
	return nil
}

// readKey is a script that reads the cookies of a host, on a page.
type readKey struct {
	step         int
	script, host string
}

func (r *recorder) addRead(script string, where *url.URL, n int) {
	if where == nil || n < 1 {
		return // a document without cookies
	}
	key := readKey{r.step, script, where.Hostname()}
	if _, known := r.reads[key]; known || r.hasRoom(len(r.reads), maxReads, len(script)) {
		r.reads[key] += min(n, 1_000_000)
	}
}

func (r *recorder) addWrite(w write) {
	if r.hasRoom(len(r.writes), maxWrites, len(w.subject)+len(w.setter.URL)) {
		r.writes = append(r.writes, w)
	}
}

// hasRoom reports whether one more can be recorded, and counts it as dropped if not.
func (r *recorder) hasRoom(n, most, size int) bool {
	if n >= most || r.bytes+size > maxBytes {
		r.dropped++
		return false
	}
	r.bytes += size
	return true
}

// all returns what was recorded, joined: the nth hop of a request with the nth event about its cookies,
// where the browser says that there is one. The recording ends with it.
func (r *recorder) all() (requests []*request, writes []write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, hops := range r.hops {
		sent, received := r.reqExtra[id], r.resExtra[id]
		for _, q := range hops {
			if q.hasExtra != nil && !*q.hasExtra {
				continue
			}
			if len(sent) > 0 {
				q.sent, sent = sent[0].cookies, sent[1:]
			} else {
				q.unsent = q.held
			}
			if len(received) > 0 {
				q.lines, q.blocked, received = received[0].lines, received[0].blocked, received[1:]
			}
		}
		// Cookies reported for a hop that was not shown were sent and received all the same.
		last := hops[len(hops)-1]
		for _, more := range sent {
			last.sent = slices.Concat(last.sent, more.cookies)
		}
		for _, more := range received {
			last.lines = slices.Concat(last.lines, more.lines)
			last.blocked = slices.Concat(last.blocked, more.blocked)
		}
		delete(r.reqExtra, id)
		delete(r.resExtra, id)
	}
	for id, sent := range r.reqExtra { // of requests that were not shown
		for i, s := range sent {
			if s.url == nil {
				continue
			}
			q := &request{id: id, url: s.url, step: s.step, at: s.at, sent: s.cookies, kind: "Other"}
			if received := r.resExtra[id]; i < len(received) {
				q.lines, q.blocked = received[i].lines, received[i].blocked
			}
			r.requests = append(r.requests, q)
		}
	}
	slices.SortStableFunc(r.requests, func(a, b *request) int { return a.at.Compare(b.at) })
	r.attribute()
	return r.requests, r.writes
}

// attribute finds the document that asked for each request where the browser does not tell: of a frame it names
// the frame's own address, of a WebSocket none, and some documents have none.
func (r *recorder) attribute() {
	documents := map[string]string{} // by frame
	// A frame without an address of its own belongs to the document around it.
	documentOf := func(frame string) string {
		for range r.outer {
			if documents[frame] != "" || r.outer[frame] == "" {
				break
			}
			frame = r.outer[frame]
		}
		return documents[frame]
	}
	for _, q := range r.requests {
		switch {
		case q.kind == "Document":
			q.document = ""
			if outer := r.outer[q.frame]; outer != "" {
				q.document = documentOf(outer)
			}
			documents[q.frame] = shownURL(q.url)
		case parseURL(q.document) == nil:
			q.document = documentOf(q.frame)
		}
	}
}
