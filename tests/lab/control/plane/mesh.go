package main

import (
	"fmt"
	"slices"
	"strings"

	istio "istio.io/api/networking/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	domain  = ".svc.cluster.local"
	unknown = "unknown" // a cluster that does not exist
)

// mesh is what the objects say at one time: the services with their pods and subsets.
type mesh struct {
	services map[string]*service // by full name
	clusters map[string]*cluster // by name, as routes come to need them
}

type service struct {
	*corev1.Service
	host    string
	pods    []*backend
	subsets map[string]labels.Set
}

// cluster is a group of pods that Envoy counts requests of.
type cluster struct {
	name      string
	stats     string // ends with a semicolon and has six of them: envoy.yaml and prometheus.yaml take it apart
	addresses []string
}

// share is a cluster with the number of pods in it.
type share struct {
	cluster string
	pods    int
}

func read(all *objects, running *backends) *mesh {
	m := &mesh{services: map[string]*service{}, clusters: map[string]*cluster{}}
	for _, object := range list[*corev1.Service](all.services) {
		host := fmt.Sprintf("%s.%s%s", object.Name, object.Namespace, domain)
		m.services[host] = &service{Service: object, host: host, subsets: map[string]labels.Set{}}
	}
	running.mutex.Lock()
	defer running.mutex.Unlock()
	for _, slice := range list[*discoveryv1.EndpointSlice](all.slices) {
		owner := m.services[fullName(slice.Labels[discoveryv1.LabelServiceName], slice.Namespace)]
		if owner == nil {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef == nil || (endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready) {
				continue
			}
			pod := running.byPod[slice.Namespace+"/"+endpoint.TargetRef.Name]
			if pod != nil && pod.server != nil && !slices.Contains(owner.pods, pod) {
				owner.pods = append(owner.pods, pod)
			}
		}
	}
	for _, rule := range list[*destinationRule](all.destinationRules) {
		if owner := m.services[fullName(rule.spec.Host, rule.Namespace)]; owner != nil && rule.err == nil {
			for _, subset := range rule.spec.Subsets {
				if owner.subsets[subset.Name] == nil {
					owner.subsets[subset.Name] = subset.Labels
				}
			}
		}
	}
	return m
}

// fullName completes the name of a host as Istio does: without a dot it is a service in the object's own namespace.
func fullName(host, namespace string) string {
	if strings.Contains(host, ".") || host == "*" {
		return host
	}
	return host + "." + namespace + domain
}

// destination gives the clusters of a destination. One cluster holds the pods of one workload, so that Envoy counts each
// on its own, as Istio's metrics do. Where nobody is ready it is a cluster without pods: 503. A cluster that does not
// exist stands for what is not known: 503 as well, but counted nowhere.
func (m *mesh) destination(to *istio.Destination, namespace string) []share {
	known, pods := m.find(to, namespace)
	if known == nil {
		return []share{{unknown, 1}}
	}
	type group struct{ version, workload string }
	groups := map[group][]*backend{}
	for _, pod := range pods {
		of := group{pod.Version, pod.Workload}
		groups[of] = append(groups[of], pod)
	}
	if len(groups) == 0 {
		groups[group{"unknown", "unknown"}] = nil
	}
	var shares []share
	for of, pods := range groups {
		name := m.add("source", known, to.GetSubset(), of.version, of.workload, pods)
		shares = append(shares, share{name, max(len(pods), 1)})
	}
	slices.SortFunc(shares, func(a, b share) int { return strings.Compare(a.cluster, b.cluster) })
	return shares
}

// shadow gives the cluster of a mirror, which is counted apart: Istio's metrics of the sender do not have it.
func (m *mesh) shadow(to *istio.Destination, namespace string) string {
	known, pods := m.find(to, namespace)
	if known == nil {
		return unknown
	}
	return m.add("shadow", known, to.GetSubset(), "", "", pods)
}

// find gives the service of a destination and its ready pods; nil where the service, its port or its subset is not known.
func (m *mesh) find(to *istio.Destination, namespace string) (*service, []*backend) {
	known := m.services[fullName(to.GetHost(), namespace)]
	if known == nil || !known.listens(to.GetPort().GetNumber()) {
		return nil, nil
	}
	if to.GetSubset() == "" {
		return known, known.pods
	}
	selector, ok := known.subsets[to.GetSubset()]
	if !ok {
		return nil, nil
	}
	chosen := slices.DeleteFunc(slices.Clone(known.pods), func(pod *backend) bool {
		return !selector.AsSelector().Matches(labels.Set(pod.Labels))
	})
	return known, chosen
}

// add makes a cluster and gives its name.
func (m *mesh) add(use string, of *service, subset, version, workload string, pods []*backend) string {
	made := &cluster{
		name:  strings.Join([]string{use, subset, of.host, version, workload}, "|"),
		stats: strings.Join([]string{use, of.Namespace, of.Name, version, workload, subset, ""}, ";"),
	}
	for _, pod := range pods {
		made.addresses = append(made.addresses, pod.address)
	}
	slices.Sort(made.addresses)
	m.clusters[made.name] = made
	return made.name
}

func (s *service) listens(port uint32) bool {
	return port == 0 || slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return uint32(p.Port) == port })
}
