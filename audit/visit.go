package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
)

// commandTime is how long a command may take that does not wait for the portal.
const commandTime = 20 * time.Second

// Times of a page.
const (
	quietTime = 2 * time.Second // without a request under way
	leaveTime = time.Second     // at least, for what pages send when they are left
	maxSettle = 30 * time.Second
)

// visit is one profile of the browser.
type visit struct {
	options *Options
	judge   *judge
	masker  *masker
	origin  *url.URL // the first page
	from    Origin
	state   *State

	browser  *cdp.Browser
	recorder *recorder
	page     string // session of the page
	target   string

	steps    []step
	dropped  int
	timeouts int
}

// step is one page, from before it is asked for until after it was left.
type step struct {
	page  Page
	frame string
	final *url.URL

	address string // of who answered

	phase  string
	choice choice    // by which it is judged
	chosen time.Time // if the choice was made on this page: until then that before counts
	judged bool
	first  bool // the first navigation since the choice: what it sends was chosen before
	before *jar
	loaded *jar
	after  *jar
}

// open starts a browser and opens an empty page in it. The recorder sees everything from then on.
func open(ctx context.Context, o *Options, j *judge, m *masker, gpc bool) (v *visit, err error) {
	v = &visit{options: o, judge: j, masker: m, origin: o.Pages[0]}
	v.recorder = newRecorder(hook{binding: "_" + rand.Text(), source: "s" + rand.Text(), gpc: gpc}, o.credentials())
	started := make(chan struct{})
	v.browser, err = cdp.Start(ctx, cdp.Command{
		Path: o.Browser, Args: o.arguments(), Preferences: o.preferences(),
		Handle: func(e *cdp.Event) error {
			<-started
			return v.recorder.event(e)
		},
	})
	if err != nil {
		return nil, err
	}
	v.recorder.conn = v.browser.Conn
	close(started)
	if err := v.prepare(ctx); err != nil {
		_ = v.browser.Close()
		words := v.browser.LastWords() // complete now
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if words != "" {
			err = fmt.Errorf("%w; it printed: %s", err, words)
		}
		return nil, err
	}
	return v, nil
}

func (v *visit) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*commandTime)
	defer cancel()
	if err := v.recorder.targets.Attach(v.browser.Conn); err != nil {
		return err
	}
	if err := v.browser.Call(ctx, "", "Browser.setDownloadBehavior", map[string]any{"behavior": "deny"}, nil); err != nil {
		return err
	}
	var created struct{ TargetID string }
	err := v.browser.Call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &created)
	if err != nil {
		return err
	}
	v.target = created.TargetID
	v.recorder.mu.Lock()
	v.recorder.mainPage = v.target
	v.recorder.mu.Unlock()
	err = v.wait(ctx, func() bool {
		v.page = v.recorder.targets.SessionOf(v.target)
		return v.page != ""
	})
	if err != nil {
		return err
	}
	// The page answers in order: what it was sent before has been done then, and nothing of the first
	// real page is missed.
	return v.evaluate(ctx, "0", nil)
}

// wait returns when something holds.
func (v *visit) wait(ctx context.Context, holds func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-v.browser.Done():
			return v.browser.Err()
		}
	}
	return nil
}

// stay visits one page: until it is loaded and quiet, and until it was left. Only an error that ends the
// whole visit is returned; a page that fails says so in its step.
func (v *visit) stay(ctx context.Context, u *url.URL, s step, act func(ctx context.Context, s *step) error) error {
	v.recorder.mu.Lock()
	v.recorder.step = len(v.steps)
	v.recorder.mu.Unlock()
	var err error
	if s.before, err = v.jar(ctx); err != nil {
		return err
	}
	s.page = Page{URL: shownURL(u), Phase: s.phase, Started: time.Now().UTC()}
	if s.page.Failure, err = v.load(ctx, u, &s); err != nil {
		return err
	}
	if s.page.Failure == "" {
		v.scroll(ctx)
		if err := v.settle(ctx, &s); err != nil {
			return err
		}
		if act != nil {
			if err := act(ctx, &s); err != nil {
				return err
			}
			if err := v.settle(ctx, &s); err != nil {
				return err
			}
		}
		s.page.Failure = v.document(u, &s) // of a page to which the first one led
		if len(v.steps) == 0 {
			v.from = v.askOrigin(ctx, &s)
		}
	}
	if s.loaded, err = v.jar(ctx); err != nil {
		return err
	}
	if s.page.Failure == "" {
		if err := v.takeStorage(ctx); err != nil {
			return err
		}
	}
	if v.options.Screenshot != nil && s.page.Failure == "" {
		if err := v.screenshot(ctx, &s); err != nil {
			return err
		}
	}
	if err := v.leave(ctx, &s); err != nil {
		return err
	}
	if s.after, err = v.jar(ctx); err != nil {
		return err
	}
	s.page.Left, s.page.Cookies = time.Now().UTC(), len(s.after.cookies)
	v.steps = append(v.steps, s)
	v.options.progress(fmt.Sprintf("%s: %d cookies so far", s.page.URL, s.page.Cookies))
	return nil
}

// load goes to a page and waits until it is loaded. The failure says why it was not.
func (v *visit) load(ctx context.Context, u *url.URL, s *step) (failure string, err error) {
	v.recorder.mu.Lock()
	loads := v.recorder.loads
	v.recorder.mu.Unlock()
	limit, cancel := context.WithTimeout(ctx, v.options.Timeout)
	defer cancel()
	var answer struct{ FrameID, ErrorText string }
	err = v.browser.Call(limit, v.page, "Page.navigate", map[string]any{"url": u.String()}, &answer)
	if err == nil && answer.ErrorText == "" {
		err = v.wait(limit, func() bool {
			v.recorder.mu.Lock()
			defer v.recorder.mu.Unlock()
			return v.recorder.loads > loads || v.recorder.crashed
		})
	}
	s.frame = answer.FrameID
	refusal := v.document(u, s)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limit.Err() != nil:
		v.timeouts++
		_ = v.browser.Send(v.page, "Page.stopLoading", nil)
		return fmt.Sprintf("it was not loaded within %v", v.options.Timeout), nil
	case v.isCrashed():
		return "the browser's process for the page crashed", nil
	case err != nil:
		if e := (*cdp.Error)(nil); errors.As(err, &e) {
			return e.Error(), nil
		}
		return "", err
	case strings.Contains(answer.ErrorText, "ERR_INVALID_AUTH_CREDENTIALS"):
		return "the portal answered with status 401", nil
	case answer.ErrorText != "":
		return "the browser could not load it: " + answer.ErrorText, nil
	case refusal != "":
		return refusal, nil
	}
	now := time.Now().UTC()
	s.page.Loaded = &now
	return "", nil
}

// document takes the address of the page after redirects, and the status of its answer, and returns why
// that is not the page that was asked for, or "".
func (v *visit) document(u *url.URL, s *step) (failure string) {
	v.recorder.mu.Lock()
	defer v.recorder.mu.Unlock()
	firewall := ""
	s.final, s.page.Status = u, 0
	for _, q := range v.recorder.requests {
		// One that is under way is not yet what the visitor sees.
		if q.step == len(v.steps) && q.kind == "Document" && q.frame == s.frame && q.status != 0 {
			s.final, s.page.Status, firewall = q.url, q.status, q.firewall
			s.address = q.address
		}
	}
	s.page.Final = shownURL(s.final)
	switch {
	case firewall != "":
		return "a firewall's question came in its place (field " + firewall + ")"
	case s.page.Status >= 400:
		return fmt.Sprintf("the portal answered with status %d", s.page.Status)
	case s.page.Status == 0:
		return "the browser reports no response"
	}
	return ""
}

// askOrigin returns where a page came from. What the browser does not tell is left out.
func (v *visit) askOrigin(ctx context.Context, s *step) Origin {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	o := Origin{Address: s.address}
	var chain struct{ TableNames [][]byte } // the certificates, the server's own first
	err := v.browser.Call(ctx, v.page, "Network.getCertificate", map[string]any{"origin": originOf(s.final)}, &chain)
	if err == nil && len(chain.TableNames) > 0 {
		digest := sha256.Sum256(chain.TableNames[0])
		o.Certificate = hex.EncodeToString(digest[:])
	}
	return o
}

func (v *visit) isCrashed() bool {
	v.recorder.mu.Lock()
	defer v.recorder.mu.Unlock()
	return v.recorder.crashed
}

// scroll scrolls to the end of the page once, for what is loaded when it is seen.
func (v *visit) scroll(ctx context.Context) {
	const script = "scrollTo(0, Math.min(document.documentElement.scrollHeight, 20000))"
	if err := v.evaluate(ctx, script, nil); err != nil && ctx.Err() == nil {
		v.timeouts++
	}
}

// evaluate runs a script in the page. A page that computes without end does not answer.
func (v *visit) evaluate(ctx context.Context, script string, result any) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime/2)
	defer cancel()
	var answer struct {
		Result struct{ Value any }
	}
	answer.Result.Value = result
	return v.browser.Call(ctx, v.page, "Runtime.evaluate",
		map[string]any{"expression": script, "returnByValue": true}, &answer)
}

// screenshot keeps a picture of the page as a visitor sees it.
func (v *visit) screenshot(ctx context.Context, s *step) (err error) {
	limit, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var answer struct{ Data []byte }
	if err := v.browser.Call(limit, v.page, "Page.captureScreenshot", nil, &answer); err != nil {
		v.timeouts++
		return ctx.Err()
	}
	s.page.Screenshot, err = v.options.Screenshot(v.state, len(v.steps), answer.Data)
	return err
}

// settle waits as long as was asked, and until no request is under way, but not without end.
func (v *visit) settle(ctx context.Context, s *step) error {
	began := time.Now()
	quiet := min(quietTime, v.options.Settle)
	return v.wait(ctx, func() bool {
		v.recorder.mu.Lock()
		defer v.recorder.mu.Unlock()
		s.page.Quiet = len(v.recorder.inFlight) == 0 && time.Since(v.recorder.active) >= quiet
		stayed := time.Since(began)
		return v.recorder.crashed ||
			stayed >= v.options.Settle && (s.page.Quiet || stayed >= max(maxSettle, v.options.Settle))
	})
}

// leave leaves a page, and waits for what it sends at the end.
func (v *visit) leave(ctx context.Context, s *step) error {
	if v.isCrashed() {
		s.page.Failure = "the browser's process for the page crashed"
	}
	limit, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	v.recorder.mu.Lock()
	loads := v.recorder.loads
	v.recorder.mu.Unlock()
	began := time.Now()
	for _, page := range v.recorder.targets.Open("page") {
		if page.ID != v.target { // what the page opened
			_ = v.browser.Send("", "Target.closeTarget", map[string]any{"targetId": page.ID})
		}
	}
	err := v.browser.Call(limit, v.page, "Page.navigate", map[string]any{"url": "about:blank"}, nil)
	if err == nil {
		err = v.wait(limit, func() bool {
			v.recorder.mu.Lock()
			defer v.recorder.mu.Unlock()
			return v.recorder.loads > loads
		})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.timeouts++
		s.page.Failure = strings.TrimPrefix(s.page.Failure+"; it could not be left: "+err.Error(), "; ")
	}
	v.recorder.mu.Lock()
	v.recorder.crashed = false
	v.recorder.mu.Unlock()
	return v.wait(ctx, func() bool {
		v.recorder.mu.Lock()
		defer v.recorder.mu.Unlock()
		left := time.Since(began)
		return left >= leaveTime && len(v.recorder.inFlight) == 0 || left >= 3*leaveTime
	})
}

// integrity returns what was lost.
func (v *visit) integrity() Integrity {
	c := v.browser.Integrity()
	crashed, closed := v.recorder.targets.Lost()
	v.recorder.mu.Lock()
	defer v.recorder.mu.Unlock()
	return Integrity{
		Undecoded: c.Undecoded, Oversized: c.Oversized, Refused: c.Refused,
		Dropped: v.recorder.dropped + v.dropped, Lost: closed, Crashes: crashed, Timeouts: v.timeouts,
	}
}
