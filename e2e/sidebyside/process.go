package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running program and the processes that it starts.
type process struct {
	cmd    *exec.Cmd
	output *os.File
	ended  chan struct{}
}

// startProcess runs a command in its own process group, so that Ctrl-C at the terminal interrupts
// only sidebyside, which then ends its processes.
func startProcess(cmd *exec.Cmd, output string) (*process, error) {
	file, err := os.Create(output)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		file.Close()
		return nil, err
	}
	p := &process{cmd, file, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the output says why it ended
		close(p.ended)
	}()
	return p, nil
}

// end asks the process to stop, which also ends its children, and kills its group if it has not
// stopped after ten seconds.
func (p *process) end() {
	defer p.output.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	}
}

// listening returns when the process accepts connections on all ports.
func (p *process) listening(ctx context.Context, ports map[string]int) error {
	deadline := time.Now().Add(30 * time.Second)
	for _, port := range ports {
		for {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("it does not listen: %w; it printed:\n%s", err, p.printed())
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-p.ended:
				return fmt.Errorf("it ended; it printed:\n%s", p.printed())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// printed returns the output of the process.
func (p *process) printed() []byte {
	text, err := os.ReadFile(p.output.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// tree returns the ids of the process and of all its descendants.
func (p *process) tree() ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, stat := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil {
			continue
		}
		fields, err := statFields(pid)
		if err != nil {
			continue // it has ended
		}
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, err
		}
		children[parent] = append(children[parent], pid)
	}
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids, nil
}

// statFields returns the fields of /proc/<pid>/stat that follow the name of the program: state,
// parent and others. The name itself may contain any character.
func statFields(pid int) ([]string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return nil, fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	return fields, nil
}

// cpuTimes holds the CPU time of threads, user and system time together, or of processes if the
// kernel has no times of threads. A thread that has ended no longer counts.
type cpuTimes map[string]time.Duration

// readCPUTimes reads schedstat, which counts nanoseconds. If the kernel has none, it reads utime and
// stime, which count hundredths of a second: measuring then needs more rounds.
func readCPUTimes(pids []int) (cpuTimes, error) {
	times := cpuTimes{}
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return nil, err
		}
		for _, thread := range threads {
			text, err := os.ReadFile(thread)
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
				continue // it has ended
			}
			if err != nil {
				return nil, err
			}
			used, _, _ := strings.Cut(string(text), " ")
			nanoseconds, err := strconv.ParseInt(used, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", thread, err)
			}
			times[thread] = time.Duration(nanoseconds)
		}
		if threads != nil {
			continue
		}
		fields, err := statFields(pid)
		if err != nil {
			continue // it has ended
		}
		const tick = 10 * time.Millisecond // of /proc, whatever the kernel's own unit
		for _, field := range fields[11:13] {
			ticks, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return nil, err
			}
			times[strconv.Itoa(pid)] += time.Duration(ticks) * tick
		}
	}
	return times, nil
}

// since returns the CPU time used since an earlier reading.
func (times cpuTimes) since(before cpuTimes) (sum time.Duration) {
	for thread, used := range times {
		sum += used - before[thread]
	}
	return sum
}
