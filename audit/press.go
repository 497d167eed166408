package audit

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
)

//go:embed find.js
var findSource string

// press clicks on an element as a visitor does, once it is there: in the page, in a frame of it, also one
// of another site, and within open shadow roots.
func (v *visit) press(ctx context.Context, out *outcome, selector string) error {
	limit, cancel := context.WithTimeout(ctx, v.options.Timeout)
	defer cancel()
	last, missed := element{}, 0
	for {
		e, err := v.find(limit, selector)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limit.Err() != nil:
			return fmt.Errorf("%q matches nothing that can be seen on the page or in its frames", selector)
		case err != nil:
			return err
		case e != nil && e.x == last.x && e.y == last.y && e.frame == last.frame: // it moves no more
			click := Click{Selector: selector, Frame: shownText(e.frame), At: time.Now().UTC()}
			// The browser can still believe that another frame is there, where it was a moment ago.
			if hit, err := v.clickOn(limit, e); err != nil || hit || missed >= 2 {
				out.state.Clicks = append(out.state.Clicks, click)
				return err
			}
			missed++
		case e != nil:
			last = *e
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-limit.Done():
		}
	}
}

// element is where an element is on the page.
type element struct {
	x, y            float64
	frame           string // address of its document
	session, object string
}

// clickOn clicks where an element is, and reports whether the click reached it within a second.
func (v *visit) clickOn(ctx context.Context, e *element) (hit bool, err error) {
	const listen = `function() {
		globalThis.isHit = false;
		const hit = (event) => { if (event.composedPath().includes(this)) globalThis.isHit = true; };
		globalThis.addEventListener("click", hit, { capture: true, once: true });
	}`
	if _, err := v.callOn(ctx, e, listen); err != nil {
		return false, err
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		event := map[string]any{"type": kind, "x": e.x, "y": e.y, "button": "left", "clickCount": 1}
		if err := v.browser.Call(ctx, v.page, "Input.dispatchMouseEvent", event, nil); err != nil {
			return false, err
		}
	}
	const patience = 20 // times 50 ms
	for range patience {
		hit, err := v.callOn(ctx, e, "function() { return globalThis.isHit; }")
		if refusal := (*cdp.Error)(nil); hit || errors.As(err, &refusal) {
			return true, nil // the document is gone: the click led on
		}
		if err != nil {
			return false, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return false, nil
}

// callOn calls a function with an element as its this, in the audit's own world.
func (v *visit) callOn(ctx context.Context, e *element, function string) (isTrue bool, err error) {
	var answer struct{ Result struct{ Value any } }
	err = v.browser.Call(ctx, e.session, "Runtime.callFunctionOn", map[string]any{
		"objectId": e.object, "functionDeclaration": function, "returnByValue": true}, &answer)
	return answer.Result.Value == true, err
}

// find returns the first element that a selector matches and that can be seen, or nil. The page comes
// first, then its frames.
func (v *visit) find(ctx context.Context, selector string) (*element, error) {
	frames := v.recorder.targets.Open("iframe") // of other processes
	slices.SortFunc(frames, func(a, b cdp.Target) int {
		return cmp.Or(strings.Compare(a.URL, b.URL), strings.Compare(a.ID, b.ID))
	})
	for _, t := range append([]cdp.Target{{ID: v.target, Session: v.page}}, frames...) {
		e, err := v.findIn(ctx, t, selector)
		if refusal := (*cdp.Error)(nil); errors.As(err, &refusal) {
			continue // the frame is gone, or not yet there
		}
		if e != nil || err != nil {
			return e, err
		}
	}
	return nil, nil
}

// frameTree is a frame with those within it, of one process.
type frameTree struct {
	Frame       struct{ ID, URL string }
	ChildFrames []frameTree
}

// all returns the frame and all within it.
func (f *frameTree) all() (all []*frameTree) {
	all = append(all, f)
	for i := range f.ChildFrames {
		all = append(all, f.ChildFrames[i].all()...)
	}
	return all
}

// framesOf returns the frames of a page's or frame's process.
func (v *visit) framesOf(ctx context.Context, session string) ([]*frameTree, error) {
	var answer struct{ FrameTree frameTree }
	if err := v.browser.Call(ctx, session, "Page.getFrameTree", nil, &answer); err != nil {
		return nil, err
	}
	return answer.FrameTree.all(), nil
}

func (v *visit) findIn(ctx context.Context, t cdp.Target, selector string) (*element, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime/2)
	defer cancel()
	frames, err := v.framesOf(ctx, t.Session)
	if err != nil {
		return nil, err
	}
	for _, f := range frames {
		object, err := v.query(ctx, t.Session, f.Frame.ID, selector)
		if err != nil || object == "" {
			if refusal := (*cdp.Error)(nil); err == nil || errors.As(err, &refusal) {
				continue
			}
			return nil, err
		}
		e := &element{frame: f.Frame.URL, session: t.Session, object: object}
		if seen, err := v.centre(ctx, e); err != nil || !seen {
			return nil, err
		}
		if inPage, err := v.toPage(ctx, t, e); err != nil || !inPage {
			return nil, err
		}
		return e, nil
	}
	return nil, nil
}

// query returns an element's object, or "". The script runs in a world of its own: a page cannot change
// what it finds.
func (v *visit) query(ctx context.Context, session, frame, selector string) (object string, err error) {
	var world struct{ ExecutionContextID int }
	if err := v.browser.Call(ctx, session, "Page.createIsolatedWorld",
		map[string]any{"frameId": frame, "worldName": v.recorder.hook.source}, &world); err != nil {
		return "", err
	}
	quoted, err := json.Marshal(selector)
	if err != nil {
		return "", err
	}
	var answer struct {
		Result    struct{ ObjectID string }
		Exception *struct {
			Exception struct{ ClassName, Description string }
		} `json:"exceptionDetails"`
	}
	if err := v.browser.Call(ctx, session, "Runtime.evaluate", map[string]any{
		"expression": "(" + findSource + ")(" + string(quoted) + ")", "contextId": world.ExecutionContextID,
	}, &answer); err != nil {
		return "", err
	}
	if answer.Exception != nil {
		return "", fmt.Errorf("%q is no CSS selector", selector)
	}
	return answer.Result.ObjectID, nil
}

// centre scrolls to an element and sets where its centre is, within what its process shows.
func (v *visit) centre(ctx context.Context, e *element) (seen bool, err error) {
	of := map[string]any{"objectId": e.object}
	if err := v.browser.Call(ctx, e.session, "DOM.scrollIntoViewIfNeeded", of, nil); err != nil {
		return false, err
	}
	var answer struct{ Quads [][]float64 } // x and y of four corners each
	if err := v.browser.Call(ctx, e.session, "DOM.getContentQuads", of, &answer); err != nil {
		return false, err
	}
	if len(answer.Quads) == 0 || len(answer.Quads[0]) != 8 {
		return false, nil
	}
	for i, n := range answer.Quads[0] {
		if i%2 == 0 {
			e.x += n / 4
		} else {
			e.y += n / 4
		}
	}
	return true, nil
}

// toPage adds where the frames of other processes are that hold an element.
func (v *visit) toPage(ctx context.Context, t cdp.Target, e *element) (inPage bool, err error) {
	candidates := append([]cdp.Target{{ID: v.target, Session: v.page}}, v.recorder.targets.Open("iframe")...)
	for range candidates {
		if t.ID == v.target {
			return true, nil
		}
		parent := cdp.Target{}
		for _, c := range candidates {
			var owner struct{ BackendNodeID int }
			if c.ID == t.ID || v.browser.Call(ctx, c.Session, "DOM.getFrameOwner",
				map[string]any{"frameId": t.ID}, &owner) != nil {
				continue
			}
			var box struct {
				Model struct{ Content []float64 }
			}
			if err := v.browser.Call(ctx, c.Session, "DOM.getBoxModel",
				map[string]any{"backendNodeId": owner.BackendNodeID}, &box); err != nil {
				return false, err
			}
			if len(box.Model.Content) < 2 {
				return false, nil
			}
			e.x, e.y, parent = e.x+box.Model.Content[0], e.y+box.Model.Content[1], c
			break
		}
		if parent.ID == "" {
			return false, nil // of another window
		}
		t = parent
	}
	return t.ID == v.target, nil
}
