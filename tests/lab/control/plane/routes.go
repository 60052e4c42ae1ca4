package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"strings"

	istio "istio.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// message is a message of Envoy's configuration in its JSON form.
type message = map[string]any

// hosts are the domains that Envoy takes.
var hosts = regexp.MustCompile(`^(\*|(\*[.-])?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)$`)

// router makes Envoy's virtual hosts. What Envoy would refuse leaves in force what the object said before, as Envoy keeps
// its routes then; here for each object on its own, so that a bad one does not hold up the others.
type router struct {
	kept map[types.UID]*virtualService // what each virtual service said when it could be translated last
}

// route translates everything: the virtual services, then a plain route for each service that none of them has taken.
func (r *router) route(m *mesh, all *objects) []message {
	taken, shortNames := map[string]bool{}, map[string]int{}
	for _, known := range m.services {
		shortNames[known.Name]++
	}
	// claim gives those of the domains that nobody has: the older object wins.
	claim := func(names []string) []string {
		free := []string{}
		for _, name := range names {
			if name = strings.ToLower(name); hosts.MatchString(name) && !taken[name] {
				taken[name] = true
				free = append(free, name)
			}
		}
		return free
	}
	// aliases are the names of a service; the bare one only where it can be no other's.
	aliases := func(host string) []string {
		short, isService := strings.CutSuffix(host, domain)
		if !isService {
			return []string{host}
		}
		names := []string{host, short, short + ".svc"}
		if name, _, _ := strings.Cut(short, "."); shortNames[name] == 1 && m.services[host] != nil {
			names = append(names, name)
		}
		return names
	}
	virtualHosts, kept := []message{}, map[types.UID]*virtualService{}
	for _, object := range list[*virtualService](all.virtualServices) {
		routes, err := translate(m, object)
		if before := r.kept[object.UID]; err != nil && before != nil {
			object = before
			routes, err = translate(m, object)
		}
		if err != nil || len(routes) == 0 {
			continue
		}
		kept[object.UID] = object
		var names []string
		for _, host := range object.spec.Hosts {
			names = append(names, aliases(fullName(host, object.Namespace))...)
		}
		if domains := claim(names); len(domains) > 0 {
			version := message{"header": message{"key": "x-lab-resource-version", "value": object.ResourceVersion}}
			virtualHosts = append(virtualHosts, message{
				"name": key(object), "domains": domains, "routes": routes, "response_headers_to_add": []message{version},
			})
		}
	}
	for host, known := range m.services {
		if domains := claim(aliases(host)); len(domains) > 0 {
			action, _ := forward(m, known.Namespace, []*istio.HTTPRouteDestination{{Destination: &istio.Destination{Host: host}}})
			virtualHosts = append(virtualHosts, message{
				"name": host, "domains": domains, "routes": []message{{"match": message{"prefix": "/"}, "route": action}},
			})
		}
	}
	r.kept = kept
	return virtualHosts
}

func translate(m *mesh, object *virtualService) ([]message, error) {
	if object.err != nil {
		return nil, object.err
	}
	var routes []message
	for _, http := range object.spec.Http {
		action, err := act(m, object.Namespace, http)
		if err != nil {
			return nil, err
		}
		matches := http.Match
		if len(matches) == 0 {
			matches = []*istio.HTTPMatchRequest{{}}
		}
		for _, request := range matches {
			if len(request.SourceLabels) > 0 {
				continue // the tests' clients have none
			}
			match, err := when(request)
			if err != nil {
				return nil, err
			}
			route := message{"match": match}
			maps.Copy(route, action)
			routes = append(routes, route)
		}
	}
	return routes, nil
}

// act is what is done with a request.
func act(m *mesh, namespace string, http *istio.HTTPRoute) (message, error) {
	if direct := http.DirectResponse; direct != nil {
		body := message{"inline_string": direct.Body.GetString_()}
		return message{"direct_response": message{"status": direct.Status, "body": body}}, nil
	}
	if len(http.Route) == 0 {
		return nil, errors.New("redirects and delegates are not translated")
	}
	action, err := forward(m, namespace, http.Route)
	if err != nil {
		return nil, err
	}
	if http.Timeout != nil {
		action["timeout"] = fmt.Sprintf("%gs", http.Timeout.AsDuration().Seconds())
	}
	if uri := http.Rewrite.GetUri(); uri != "" {
		action["prefix_rewrite"] = uri
	}
	mirrors := []message{}
	mirror := func(to *istio.Destination, percentage *istio.Percent) {
		share := 100.0
		if percentage != nil {
			share = percentage.Value
		}
		fraction := message{"numerator": math.Round(share * 10_000), "denominator": "MILLION"}
		mirrors = append(mirrors, message{
			"cluster": m.shadow(to, namespace), "runtime_fraction": message{"default_value": fraction},
		})
	}
	if http.Mirror != nil {
		mirror(http.Mirror, http.MirrorPercentage)
	}
	for _, policy := range http.Mirrors {
		mirror(policy.Destination, policy.Percentage)
	}
	if len(mirrors) > 0 {
		action["request_mirror_policies"] = mirrors
	}
	return message{"route": action}, nil
}

// forward translates destinations as istiod does: a missing weight is 0, zeroes are dropped, one destination needs none.
// The share of a destination is divided among its workloads by their pods.
func forward(m *mesh, namespace string, destinations []*istio.HTTPRouteDestination) (message, error) {
	type part struct {
		weight uint64
		shares []share
	}
	var parts []part
	common := uint64(1)
	for _, to := range destinations {
		weight := to.Weight
		if len(destinations) == 1 {
			weight = 1
		}
		if weight < 0 {
			return nil, errors.New("a weight is negative")
		}
		if weight == 0 {
			continue
		}
		shares, pods := m.destination(to.Destination, namespace), uint64(0)
		for _, one := range shares {
			pods += uint64(one.pods)
		}
		if len(shares) == 1 {
			shares[0].pods, pods = 1, 1
		}
		// A common multiple of all numbers of pods keeps the shares whole.
		common = common / divisor(common, pods) * pods
		parts = append(parts, part{uint64(weight), shares})
	}
	clusters, total := []message{}, uint64(0)
	for _, part := range parts {
		pods := uint64(0)
		for _, one := range part.shares {
			pods += uint64(one.pods)
		}
		for _, one := range part.shares {
			weight := part.weight * common / pods * uint64(one.pods)
			total += weight
			clusters = append(clusters, message{"name": one.cluster, "weight": weight})
		}
	}
	if total == 0 || total > math.MaxUint32 {
		return nil, fmt.Errorf("the weights sum up to %d", total)
	}
	if len(clusters) == 1 {
		return message{"cluster": clusters[0]["name"], "timeout": "0s"}, nil
	}
	// With this header a client chooses by itself, which makes shares exact.
	weighted := message{"clusters": clusters, "header_name": "x-lab-random"}
	return message{"weighted_clusters": weighted, "timeout": "0s"}, nil
}

func divisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// when translates the conditions of a route.
func when(request *istio.HTTPMatchRequest) (message, error) {
	match := message{"prefix": "/"}
	if uri := request.Uri; uri != nil {
		delete(match, "prefix")
		switch kind := uri.MatchType.(type) {
		case *istio.StringMatch_Exact:
			match["path"] = kind.Exact
		case *istio.StringMatch_Prefix:
			match["prefix"] = kind.Prefix
		case *istio.StringMatch_Regex:
			match["safe_regex"] = message{"regex": kind.Regex}
			if _, err := regexp.Compile(kind.Regex); err != nil {
				return nil, err
			}
		}
		match["case_sensitive"] = !request.IgnoreUriCase
	}
	var headers, parameters []message
	var failed error
	one := func(list *[]message, name string, condition *istio.StringMatch, inverted bool) {
		made, err := compare(condition)
		failed = joined(failed, err)
		made["name"] = name
		if inverted {
			made["invert_match"] = true
		}
		*list = append(*list, made)
	}
	for name, condition := range request.Headers {
		one(&headers, name, condition, false)
	}
	for name, condition := range request.WithoutHeaders {
		one(&headers, name, condition, true)
	}
	if request.Method != nil {
		one(&headers, ":method", request.Method, false)
	}
	if request.Authority != nil {
		one(&headers, ":authority", request.Authority, false)
	}
	for name, condition := range request.QueryParams {
		one(&parameters, name, condition, false)
	}
	if len(headers) > 0 {
		match["headers"] = headers
	}
	if len(parameters) > 0 {
		match["query_parameters"] = parameters
	}
	return match, failed
}

// compare translates a condition on a text; without one the text must only be there.
func compare(match *istio.StringMatch) (message, error) {
	switch kind := match.GetMatchType().(type) {
	case *istio.StringMatch_Exact:
		return message{"string_match": message{"exact": kind.Exact}}, nil
	case *istio.StringMatch_Prefix:
		return message{"string_match": message{"prefix": kind.Prefix}}, nil
	case *istio.StringMatch_Regex:
		_, err := regexp.Compile(kind.Regex)
		return message{"string_match": message{"safe_regex": message{"regex": kind.Regex}}}, err
	default:
		return message{"present_match": true}, nil
	}
}
