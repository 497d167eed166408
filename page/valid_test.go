package page

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Every element that is opened is closed where it was opened, and a parser adds, moves and drops none.
func TestHTMLIsWellFormed(t *testing.T) {
	void := []string{"meta", "link", "input", "br"}
	pages(t, func(t *testing.T, _ string, doc *html.Node, body string, _ http.Header) {
		var open, all []string
		for z := html.NewTokenizer(strings.NewReader(body)); ; {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			name, _ := z.TagName()
			switch {
			case kind == html.StartTagToken:
				all = append(all, string(name))
				if !slices.Contains(void, string(name)) {
					open = append(open, string(name))
				}
			case kind == html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != string(name) {
					t.Fatalf("</%s> closes one of %v", name, open)
				}
				open = open[:len(open)-1]
			}
		}
		var parsed []string
		for _, e := range elements(doc) {
			parsed = append(parsed, e.Data)
		}
		if len(open) > 0 || !slices.Equal(parsed, all) {
			t.Errorf("open are %v; a parser makes\n%v\nof\n%v", open, parsed, all)
		}
	})
}

// Text and controls have the contrast that WCAG 2.2 asks for (1.4.3: 4.5 to 1; 1.4.11: 3 to 1), in light,
// dark and print.
func TestCSSContrast(t *testing.T) {
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(css, -1)
	if len(blocks) != 3 {
		t.Fatalf("there are %d sets of colours", len(blocks))
	}
	for i, block := range blocks {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]+);`).FindAllStringSubmatch(block[1], -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, c := range []struct {
			front, back string
			least       float64
		}{
			{"text", "ground", 4.5}, {"text", "band", 4.5}, {"quiet", "ground", 4.5}, {"accent", "ground", 4.5},
			{"accent", "band", 4.5}, {"on-accent", "accent", 4.5}, {"done", "ground", 4.5}, {"problem", "ground", 4.5},
			{"strong", "ground", 3},
		} {
			front, ok := colours[c.front]
			back, also := colours[c.back]
			if c.front == "on-accent" && i == 2 { // nothing is printed in it
				continue
			}
			if ratio := (math.Max(front, back) + .05) / (math.Min(front, back) + .05); !ok || !also || ratio < c.least {
				t.Errorf("set %d: %s on %s has a contrast of %.2f, want %.1f", i, c.front, c.back, ratio, c.least)
			}
		}
	}
}

// luminance returns the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hex string) (sum float64) {
	t.Helper()
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%[1]c%c%[2]c%c%[3]c", hex[0], hex[1], hex[2])
	}
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
