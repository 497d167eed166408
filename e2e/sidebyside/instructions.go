package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// instructionCounter is the path of perf where there is one and the machine counts instructions. Many virtual machines do not.
func instructionCounter(ctx context.Context) string {
	perf, err := exec.LookPath("perf")
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, perf, "stat", "-x", ",", "-e", "instructions", "--", "true").CombinedOutput()
	if err != nil {
		return ""
	}
	if _, err := countedInstructions(out); err != nil {
		return ""
	}
	return perf
}

// counting is perf at work. Besides the processes it has a command to run, and counts as long as that runs: one that ends with its input.
type counting struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output bytes.Buffer
}

// countInstructions begins to count what some processes execute.
func countInstructions(perf string, pids []int) (*counting, error) {
	ids := strings.Trim(strings.ReplaceAll(fmt.Sprint(pids), " ", ","), "[]")
	c := &counting{cmd: exec.Command(perf, "stat", "-x", ",", "-e", "instructions", "-p", ids, "--", "cat")}
	c.cmd.Stderr = &c.output
	var err error
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	echo, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	// When the command answers, perf counts.
	_, err = c.input.Write([]byte{'.'})
	if err == nil {
		_, err = io.ReadFull(echo, make([]byte, 1))
	}
	if err != nil {
		return nil, errors.Join(err, c.input.Close(), c.cmd.Wait())
	}
	return c, nil
}

// end returns how many instructions were executed.
func (c *counting) end() (float64, error) {
	if err := errors.Join(c.input.Close(), c.cmd.Wait()); err != nil {
		return 0, fmt.Errorf("perf: %w\n%s", err, &c.output)
	}
	return countedInstructions(c.output.Bytes())
}

// countedInstructions adds up what `perf stat -x ,` printed: a line for each kind of core, the number first.
func countedInstructions(text []byte) (sum float64, err error) {
	found := false
	for line := range strings.Lines(string(text)) {
		count, rest, ok := strings.Cut(line, ",")
		if !ok || !strings.Contains(rest, "instructions") {
			continue
		}
		n, err := strconv.ParseFloat(count, 64)
		if err != nil {
			return 0, fmt.Errorf("perf printed %q", line)
		}
		sum += n
		found = true
	}
	if !found {
		return 0, fmt.Errorf("perf printed %q", text)
	}
	return sum, nil
}
