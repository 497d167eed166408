// Command sidebyside measures what a cookie policy in front of a portal costs: with this module in
// Caddy, and with other proxies as Debian packages them. It starts all of them on the loopback
// interface, checks that they let the same cookies through, sends requests alternately with the
// policy and without it, and prints the CPU time per request as a Markdown table. Run it in e2e:
//
//	go run ./sidebyside
package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	connections = 16
	roundTime   = 100 * time.Millisecond
)

func main() {
	rounds := flag.Int("rounds", 0,
		"measure at most this many pairs of rounds for each row; 0 means as many as -time allows")
	limit := flag.Duration("time", 3*time.Minute,
		"measure for this long; each row gets at least one pair of rounds")
	only := flag.String("only", "",
		"measure these subjects, separated by commas: caddy, nginx-lua, nginx-njs, haproxy, "+
			"varnish, apache; the default is all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *rounds, *limit, *only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, limit time.Duration, only string) error {
	dir, err := os.MkdirTemp("", "sidebyside")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	caddy := filepath.Join(dir, "caddy-under-test")
	chosen, err := selected(subjects(caddy), only)
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", "..", "-o", caddy, "./cmd/caddy")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building Caddy from the parent directory: %w\n%s", err, out)
	}
	portal, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer portal.Close()
	go servePortal(portal)

	var measured []*measurement
	for _, s := range chosen {
		if files := s.missing(); files != nil {
			s.fail(fmt.Sprintf("not measured: %s not found; install the Debian packages %s",
				strings.Join(files, ", "), strings.Join(s.packages, ", ")))
			continue
		}
		ports, err := s.ports()
		if err != nil {
			return err
		}
		own := filepath.Join(dir, s.name)
		if err := os.Mkdir(own, 0o700); err != nil {
			return err
		}
		cmd, err := s.prepare(own, portal.Addr(), ports)
		if err != nil {
			return err
		}
		p, err := startProcess(cmd, filepath.Join(own, "output"))
		if err != nil {
			return err
		}
		defer p.end()
		if err := p.listening(ctx, ports); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(os.Stderr, "%s did not start: %v\n", s.name, err)
			s.fail("not measured: did not start")
			continue
		}
		for _, r := range s.rows {
			if err := r.check(ports); err != nil {
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", r.title, r.load.title, err)
				r.problem = "not measured: unexpected cookies"
				continue
			}
			m := &measurement{
				row:     r,
				process: p,
				off:     newVisitors(ports["off"], r.load),
				on:      newVisitors(ports[r.port], r.load),
			}
			defer m.off.leave()
			defer m.on.leave()
			measured = append(measured, m)
		}
	}

	counter := instructionCounter(ctx)
	err = measureAll(ctx, measured, counter, rounds, time.Now().Add(limit))
	if err != nil && ctx.Err() == nil {
		return err
	}
	printMachine(caddy, chosen)
	fmt.Println()
	printTable(chosen, counter != "")
	if ctx.Err() != nil {
		return errors.New("interrupted: the table has only the pairs measured so far")
	}
	return failed(chosen)
}

// failed returns an error if an installed subject could not be measured.
func failed(chosen []*subject) error {
	for _, s := range chosen {
		for _, r := range s.rows {
			if r.problem != "" && s.missing() == nil {
				return errors.New("not all installed subjects could be measured")
			}
		}
	}
	return nil
}

// check returns an error unless the expected cookies are set with the policy, and all of the
// portal's without it. Empty lines set no cookie: check adds their number to the row's remark.
func (r *row) check(ports map[string]int) error {
	off, err := setCookies(ports["off"], r.load)
	if err != nil {
		return err
	}
	if !slices.Equal(off, r.load.sent) {
		return fmt.Errorf("without the policy: got %q, want %q", off, r.load.sent)
	}
	want := r.load.want
	if r.want != nil {
		want = r.want
	}
	on, err := setCookies(ports[r.port], r.load)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(on), func(line string) bool { return line == "" })
	if !slices.Equal(kept, want) {
		return fmt.Errorf("got %q, want %q", kept, want)
	}
	if empty := len(on) - len(kept); empty > 0 {
		r.remark += fmt.Sprintf("; leaves %d empty lines", empty)
	}
	return nil
}

// setCookies returns the Set-Cookie lines of the response to a request.
func setCookies(port int, l *load) ([]string, error) {
	url := fmt.Sprintf("http://127.0.0.1:%d%s", port, l.path)
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if l.cookie != "" {
		req.Header.Set("Cookie", l.cookie)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(got) != body {
		return nil, fmt.Errorf("got %s and %q, %v", resp.Status, got, err)
	}
	return resp.Header["Set-Cookie"], nil
}

// measurement is a row and the process that serves it.
type measurement struct {
	*row
	process *process
	off, on *visitors
}

// pair is a round without the policy and a round with it, measured one after the other.
type pair struct{ off, on sample }

// sample is the cost of one request, averaged over a round.
type sample struct {
	cpu          float64 // microseconds
	instructions float64
}

// measureAll measures one pair of each row at a time, so that changes in the machine's speed affect
// all rows. The first pair of each row warms up and is not counted. The policy comes first in every
// second pair.
func measureAll(
	ctx context.Context, measured []*measurement, counter string, rounds int, deadline time.Time,
) error {
	defer progress("")
	for n := 0; len(measured) > 0 && (rounds == 0 || n <= rounds); n++ {
		for i, m := range measured {
			if n > 1 && time.Until(deadline) < 2*roundTime {
				return nil
			}
			progress(fmt.Sprintf("pair %d, row %d of %d: %s, %s", n, i+1, len(measured), m.title,
				m.load.title))
			var p pair
			order := []struct {
				visitors *visitors
				sample   *sample
			}{{m.off, &p.off}, {m.on, &p.on}}
			if (n+i)%2 == 1 {
				slices.Reverse(order)
			}
			for _, o := range order {
				var err error
				if *o.sample, err = m.round(ctx, o.visitors, counter); err != nil {
					return fmt.Errorf("%s, %s, at %s: %w", m.title, m.load.title,
						o.visitors.address, err)
				}
			}
			if n > 0 {
				m.pairs = append(m.pairs, p)
			}
		}
	}
	return nil
}

// progress replaces the last line of the terminal, if standard error is one.
func progress(line string) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r\033[K%s", line)
	}
}

// round sends requests for roundTime and returns the cost of one.
func (m *measurement) round(ctx context.Context, v *visitors, counter string) (sample, error) {
	pids, err := m.process.tree()
	if err != nil {
		return sample{}, err
	}
	var counting *counting
	if counter != "" {
		if counting, err = countInstructions(counter, pids); err != nil {
			return sample{}, err
		}
	}
	before, err := readCPUTimes(pids)
	if err != nil {
		return sample{}, err
	}
	requests, err := v.ask(ctx, roundTime)
	if err != nil {
		return sample{}, err
	}
	after, err := readCPUTimes(pids)
	if err != nil {
		return sample{}, err
	}
	s := sample{cpu: float64(after.since(before).Nanoseconds()) / 1000 / float64(requests)}
	if counting != nil {
		instructions, err := counting.end()
		if err != nil {
			return sample{}, err
		}
		s.instructions = instructions / float64(requests)
	}
	return s, nil
}

// printMachine prints the machine and the versions that were measured.
func printMachine(caddy string, chosen []*subject) {
	fmt.Printf("%s, %d cores, Linux %s; %s",
		cpuModel(), runtime.NumCPU(), kernel(), runtime.Version())
	if info, err := buildinfo.ReadFile(caddy); err == nil {
		for _, module := range info.Deps {
			if module.Path == "github.com/caddyserver/caddy/v2" {
				fmt.Printf("; Caddy %s", module.Version)
			}
		}
	}
	var packages []string
	for _, s := range chosen {
		if s.missing() == nil {
			packages = append(packages, s.packages...)
		}
	}
	slices.Sort(packages)
	for _, name := range slices.Compact(packages) {
		version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err == nil {
			fmt.Printf("; %s %s", name, version)
		}
	}
	fmt.Printf(". %d connections, rounds of %v.\n", connections, roundTime)
}

// cpuModel returns the name of the processor, or of its architecture if Linux names no model.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel returns the release of the running kernel.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimSpace(string(release))
}

// printTable prints the table: medians, and in brackets their confidence intervals, or the smallest
// and the largest number.
func printTable(chosen []*subject, instructions bool) {
	head := []string{
		"proxy", "cookies", "policy off, µs", "policy on, µs", "added, µs", "on/off", "pairs",
	}
	if instructions {
		head = slices.Insert(head, 6, "added instructions")
	}
	head = append(head, "remarks")
	printRow(head)
	printRow(slices.Repeat([]string{"---"}, len(head)))
	for _, s := range chosen {
		for _, r := range s.rows {
			cells := []string{r.title, r.load.title}
			if len(r.pairs) == 0 {
				cells = append(cells, slices.Repeat([]string{""}, len(head)-3)...)
				printRow(append(cells, r.problem))
				continue
			}
			cells = append(cells,
				fmt.Sprintf("%.2f", median(r.each(func(p pair) float64 { return p.off.cpu }))),
				fmt.Sprintf("%.2f", median(r.each(func(p pair) float64 { return p.on.cpu }))),
				medianAndInterval("%+.2f",
					r.each(func(p pair) float64 { return p.on.cpu - p.off.cpu })),
				medianAndRange("%.3f",
					r.each(func(p pair) float64 { return p.on.cpu / p.off.cpu })))
			if instructions {
				cells = append(cells, medianAndInterval("%+.0f",
					r.each(func(p pair) float64 { return p.on.instructions - p.off.instructions })))
			}
			printRow(append(cells, strconv.Itoa(len(r.pairs)), r.remark))
		}
	}
}

func printRow(cells []string) { fmt.Printf("| %s |\n", strings.Join(cells, " | ")) }

// each returns one number of each pair.
func (r *row) each(number func(pair) float64) []float64 {
	numbers := make([]float64, len(r.pairs))
	for i, p := range r.pairs {
		numbers[i] = number(p)
	}
	return numbers
}

func median(numbers []float64) float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// medianAndRange formats the median, the smallest and the largest number.
func medianAndRange(format string, numbers []float64) string {
	return fmt.Sprintf(format+" ("+format+" … "+format+")",
		median(numbers), slices.Min(numbers), slices.Max(numbers))
}

// medianAndInterval formats the median and its confidence interval of 95 %. The interval assumes no
// distribution of the numbers: how many of them are below the true median has a binomial
// distribution.
func medianAndInterval(format string, numbers []float64) string {
	sorted := slices.Sorted(slices.Values(numbers))
	n := float64(len(sorted))
	low, high := int(n/2-0.98*math.Sqrt(n)), int(math.Ceil(n/2+0.98*math.Sqrt(n)))
	return fmt.Sprintf(format+" ("+format+" … "+format+")",
		median(numbers), sorted[max(0, low)], sorted[min(high, len(sorted)-1)])
}
