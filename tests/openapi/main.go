// Drives the Packet API simulator with public tools: kin-openapi checks its answers against the OpenAPI document (S-20),
// packngo runs its calls against it. Starts the simulator itself; prints one line for each check and ends 0 or 1.
package main

import (
	"flag"
	"fmt"
	"os"
)

// report counts the checks and prints each as it ends.
type report struct {
	passed, failed int
}

func (r *report) check(name string, err error) {
	if err != nil {
		r.failed++
		fmt.Printf("FAIL  %s\n      %v\n", name, err)
		return
	}
	r.passed++
	fmt.Printf("ok    %s\n", name)
}

func main() {
	program := flag.String("sim", "", "the simulator's program")
	document := flag.String("document", "", "the OpenAPI document")
	flag.Parse()
	if *program == "" || *document == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*program, *document); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(program, document string) error {
	var r report
	for _, prefix := range []string{"/metal/v1", ""} {
		s, err := startSim(program, prefix)
		if err != nil {
			return err
		}
		err = checkAll(&r, s, document)
		if stopped := s.stop(); err == nil {
			err = stopped
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 || r.passed == 0 {
		return fmt.Errorf("%d of %d checks failed", r.failed, r.passed+r.failed)
	}
	return nil
}

func checkAll(r *report, s *sim, document string) error {
	v, err := newValidator(document, s.url)
	if err != nil {
		return err
	}
	fmt.Printf("== %s against %s\n", s.url, document)
	checkValidator(r, s, v)
	checkTable(r, s, v)
	checkFaults(r, s, v)
	checkPackngo(r, s)
	if v.prefix != "" { // once is enough
		checkSwitches(r, s, v)
	}
	return nil
}
