package main

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// behaviour is what a build does with a request, told by its image as in tidegate's sandbox: carts:0.6.1 takes a second;
// in any tag the word "slow" stands for a second, "err5" for 5 % errors, "lat300" for 300 ms.
type behaviour struct {
	errors float64 // the share of requests that are answered with a 500, from 0 to 1
	delay  time.Duration
}

var number = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func behaviourOf(image string) behaviour {
	name, _, _ := strings.Cut(image, "@")
	repository, tag, _ := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	var b behaviour
	if repository == "carts" && tag == "0.6.1" {
		b.delay = time.Second
	}
	for word := range strings.SplitSeq(tag, "-") {
		if percent, ok := suffix(word, "err"); ok {
			b.errors = min(percent/100, 1)
		} else if ms, ok := suffix(word, "lat"); ok {
			b.delay = time.Duration(ms * float64(time.Millisecond))
		} else if word == "slow" {
			b.delay = time.Second
		}
	}
	return b
}

// suffix is the number behind a prefix, where the word holds nothing else.
func suffix(word, prefix string) (float64, bool) {
	rest, ok := strings.CutPrefix(word, prefix)
	if !ok || !number.MatchString(rest) {
		return 0, false
	}
	value, err := strconv.ParseFloat(rest, 64)
	return value, err == nil
}

// fails says whether the n-th request, counted from 1, is one of the errors. They are spread evenly, and nothing is left
// to chance: of the first 100 requests exactly the stated share fails.
func (b behaviour) fails(n uint64) bool {
	return math.Floor(float64(n)*b.errors) > math.Floor(float64(n-1)*b.errors)
}
