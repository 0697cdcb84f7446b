// promlint reads a page of metrics on standard input and says what Prometheus' own linter (that of `promtool check metrics`)
// has against it, a line each. Ends 0 when it has nothing.
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func main() {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		fmt.Println("cannot be read:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println(p.Metric+":", p.Text)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}
