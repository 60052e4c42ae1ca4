package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A pod with this annotation stands for a server that runs elsewhere: nothing is started for it.
const addressAnnotation = "lab/address"

// Requests that are on their way to a pod when it goes are still answered.
const grace = 3 * time.Second

// backend is the HTTP server that stands for a pod.
type backend struct {
	Namespace string            `json:"namespace"`
	Pod       string            `json:"pod"`
	Workload  string            `json:"workload"`
	Version   string            `json:"version"`
	Image     string            `json:"image"`
	Labels    map[string]string `json:"labels"`
	address   string
	podIP     string
	behaviour behaviour
	requests  atomic.Uint64
	server    *http.Server
}

// start listens on a port of its own.
func start(pod *corev1.Pod) (*backend, error) {
	b := &backend{
		Namespace: pod.Namespace, Pod: pod.Name, Workload: workload(pod), Version: version(pod), Labels: pod.Labels,
		podIP: pod.Status.PodIP, address: pod.Annotations[addressAnnotation],
	}
	if len(pod.Spec.Containers) > 0 {
		b.Image = pod.Spec.Containers[0].Image
	}
	if b.address != "" {
		return b, nil
	}
	b.behaviour = behaviourOf(b.Image)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.address = listener.Addr().String()
	b.server = &http.Server{Handler: b}
	go b.server.Serve(listener)
	return b, nil
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	if r.URL.Path != "/health" {
		if b.behaviour.fails(b.requests.Add(1)) {
			status = http.StatusInternalServerError
		}
		select {
		case <-time.After(b.behaviour.delay):
		case <-r.Context().Done():
			return
		}
	}
	answer(w, status, b)
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text)
}

func (b *backend) stop() {
	if b.server != nil {
		time.AfterFunc(grace, func() { b.server.Close() })
	}
}

// backends are the servers of all ready pods.
type backends struct {
	mutex sync.Mutex
	byPod map[string]*backend // by namespace/name
}

// sync starts the servers of pods that have become ready and stops those of pods that are no longer.
func (all *backends) sync(ready map[string]*corev1.Pod) error {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	for key, b := range all.byPod {
		if pod := ready[key]; pod == nil || pod.Status.PodIP != b.podIP {
			b.stop()
			delete(all.byPod, key)
		}
	}
	for key, pod := range ready {
		if all.byPod[key] == nil {
			b, err := start(pod)
			if err != nil {
				return err
			}
			all.byPod[key] = b
		}
	}
	return nil
}

// at is the address of the server that stands for the pod with an IP address.
func (all *backends) at(podIP string) (string, bool) {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	for _, b := range all.byPod {
		if b.podIP == podIP {
			return b.address, true
		}
	}
	return "", false
}

// ServeHTTP lists the servers with the requests that each has seen: a mirror's are not seen anywhere else.
func (all *backends) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		*backend
		Address  string `json:"address"`
		Requests uint64 `json:"requests"`
	}
	rows := []row{}
	all.mutex.Lock()
	for _, b := range all.byPod {
		rows = append(rows, row{b, b.address, b.requests.Load()})
	}
	all.mutex.Unlock()
	answer(w, http.StatusOK, rows)
}
