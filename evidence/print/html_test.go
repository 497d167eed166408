package print

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// allowedElements are those that a document has. None loads something or runs.
var allowedElements = strings.Fields("html head meta title style body header nav main h1 h2 h3 h4 p ul li a div " +
	"table caption thead tbody tr th td code figure figcaption svg desc defs pattern rect line text")

// allowedAttributes are those of its elements.
var allowedAttributes = strings.Fields("lang charset http-equiv content name id class href role tabindex " +
	"aria-labelledby aria-label scope viewbox viewBox x y x1 y1 x2 y2 width height fill patternUnits " +
	"patternTransform text-anchor")

// checkHTML checks what holds for every document.
func checkHTML(t *testing.T, what, document string) *html.Node {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s", what, fmt.Sprintf(format, args...))
	}
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	ids, references := map[string]bool{}, []string{}
	level := 0
	counts := map[string]int{}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			fail("a comment: %s", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		counts[n.Data]++
		if !slices.Contains(allowedElements, n.Data) {
			fail("the element %s", n.Data)
		}
		for _, a := range n.Attr {
			if !slices.Contains(allowedAttributes, a.Key) {
				fail("%s has the attribute %s", n.Data, a.Key)
			}
			switch a.Key {
			case "id":
				if ids[a.Val] || a.Val == "" {
					fail("the id %q is empty, or there twice", a.Val)
				}
				ids[a.Val] = true
			case "aria-labelledby":
				references = append(references, strings.Fields(a.Val)...)
			case "href":
				references = append(references, strings.TrimPrefix(a.Val, "#"))
			case "fill":
				references = append(references, strings.TrimSuffix(strings.TrimPrefix(a.Val, "url(#"), ")"))
			}
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data != "hr" {
			at := int(n.Data[1] - '0')
			if at > level+1 || innerText(n) == "" {
				fail("%s %q after h%d", n.Data, innerText(n), level)
			}
			level = at
		}
	}
	for _, id := range references {
		if !ids[id] {
			fail("a reference to %q, which is not there", id)
		}
	}
	if counts["h1"] != 1 || counts["main"] != 1 || counts["style"] != 1 || strings.Count(document, "<title>") != 1 {
		fail("of h1, main, style and title there is not one each: %v", counts)
	}
	for n := range root.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "table":
			checkTable(t, what, n)
		case n.Data == "svg":
			if attribute(n, "role") != "img" || len(strings.Fields(attribute(n, "aria-labelledby"))) != 2 {
				fail("a picture without role, title and description")
			}
		case n.Data == "style":
			sum := sha256.Sum256([]byte(innerText(n)))
			policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
				"'; base-uri 'none'; form-action 'none'"
			if !hasPolicy(root, policy) {
				fail("the Content-Security-Policy is not %s", policy)
			}
			if regexp.MustCompile(`url\(|@import|expression`).MatchString(innerText(n)) {
				fail("the style loads something")
			}
		}
	}
	return root
}

func hasPolicy(root *html.Node, policy string) bool {
	for n := range root.Descendants() {
		if n.Data == "meta" && attribute(n, "http-equiv") == "Content-Security-Policy" {
			return attribute(n, "content") == policy
		}
	}
	return false
}

// checkTable checks that a table has a caption and heads, and in each row as many cells as columns.
func checkTable(t *testing.T, what string, table *html.Node) {
	t.Helper()
	var caption string
	var widths []int
	for n := range table.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "caption":
			caption = innerText(n)
		case "th":
			if scope := attribute(n, "scope"); scope != "col" && scope != "row" {
				t.Errorf("%s: the scope of a head is %q", what, scope)
			}
		case "tr":
			width := 0
			for c := range n.ChildNodes() {
				if width++; width == 1 && c.Data != "th" {
					t.Errorf("%s: a row of %q has no head", what, caption)
				}
			}
			widths = append(widths, width)
		}
	}
	if caption == "" || len(widths) < 2 || len(slices.Compact(widths)) != 1 {
		t.Errorf("%s: the table %q has rows of %v cells", what, caption, widths)
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// innerText returns the text in a node.
func innerText(n *html.Node) string {
	var text strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			text.WriteString(c.Data)
		}
	}
	return text.String()
}

// A document has one h1, headings in order, tables with captions and heads, pictures with a title and a
// description, a language, and nothing that loads or runs.
func TestHTML(t *testing.T) {
	empty := &Report{Policies: []Answer{{}}}
	two := fixed(t)
	two.Addresses = append(two.Addresses, "localhost:2020")
	two.Unanswered = []string{"localhost:2021: connection refused"}
	two.Policies = append(two.Policies, two.Policies[0])
	for what, r := range map[string]*Report{"fixed": fixed(t), "two gateways": two, "nothing": empty,
		"400 days":  long(t, 400),
		"no policy": {}, "one day": long(t, 1)} {
		for _, language := range Languages {
			root := checkHTML(t, what+", "+language, printHTML(t, r, language))
			if lang := attribute(root.FirstChild.NextSibling, "lang"); lang != language {
				t.Errorf("%s: the language is %q", what, lang)
			}
		}
	}
}

var part = regexp.MustCompile(`<rect class="(?:refused|passed|noted)" x="([0-9.]+)" y="([0-9.]+)" ` +
	`width="([0-9.]+)" height="([0-9.]+)"`)

// A picture has a bar for each day with verdicts, a place for each day without a record, and the numbers in the
// table behind it.
func TestPicture(t *testing.T) {
	for _, days := range []int{1, 7, 30, 100, 400, 1000} {
		document := printHTML(t, long(t, days), "en")
		bars := map[string]bool{}
		for _, m := range part.FindAllStringSubmatch(document, -1) {
			var n [4]float64
			for i := range n {
				n[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			if n[1] < top-20 && n[2] == 12 {
				continue // the legend
			}
			if n[3] < 1 || n[2] <= 0 || n[0] < left || n[0]+n[2] > right+0.1 || n[1] < top-3 || n[1]+n[3] > bottom+0.1 {
				t.Errorf("%d days: a part is outside of the picture: %v", days, n)
			}
			bars[m[1]] = true
		}
		recorded := 0
		for n := range days {
			if n%97 != 50 {
				recorded++
			}
		}
		if len(bars) != recorded {
			t.Errorf("%d days: there are bars for %d, want %d", days, len(bars), recorded)
		}
		marks := regexp.MustCompile(`text-anchor="middle">([^<]*)<`).FindAllStringSubmatch(document, -1)
		if n := len(marks); n < 1 || n > 2*24 {
			t.Errorf("%d days: %d days are named", days, n)
		}
	}
}

// The scale ends at or above the largest number, and has few steps.
func TestScale(t *testing.T) {
	for _, most := range []uint64{0, 1, 3, 4, 5, 9, 10, 11, 39, 40, 99, 100, 101, 12345, 999_999, highest} {
		scale, step := scaleOf(most)
		if scale < most || step == 0 || scale%step != 0 || scale/step > 5 || scale > 4 && most > 0 &&
			float64(scale) > 2*float64(most) {
			t.Errorf("%d: up to %d in steps of %d", most, scale, step)
		}
	}
}

// Text and pictures have the contrast that WCAG 2.2 demands (1.4.3, 1.4.11), in light and in dark colours.
func TestContrast(t *testing.T) {
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\n\t?\}`).FindAllStringSubmatch(style, -1)
	if len(schemes) != 2 {
		t.Fatalf("there are %d colour schemes", len(schemes))
	}
	for _, scheme := range schemes {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(scheme[1], -1) {
			colours[m[1]] = m[2]
		}
		for _, c := range []struct {
			a, b string
			want float64
		}{
			{"text", "ground", 7}, {"text", "band", 7}, {"soft", "ground", 4.5}, {"text", "warn", 7},
			{"warn-line", "warn", 3}, {"refused", "ground", 3}, {"expired", "ground", 3}, {"deletion", "ground", 3},
			{"passed", "ground", 3}, {"unobserved", "ground", 3},
		} {
			if got := contrast(t, colours[c.a], colours[c.b]); got < c.want {
				t.Errorf("%s on %s: %.2f, want %.1f in\n%s", c.a, c.b, got, c.want, scheme[1])
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(colour string) float64 {
		n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32)
		if err != nil {
			t.Fatalf("%q: %v", colour, err)
		}
		part := func(shift uint) float64 {
			c := float64(n>>shift&0xff) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
	}
	high, low := luminance(a), luminance(b)
	return (max(high, low) + 0.05) / (min(high, low) + 0.05)
}
