// Command plane is the lab's data plane, as far as it is not Envoy and Prometheus themselves: it runs an HTTP server for
// every ready pod, writes Envoy's configuration from the virtual services and destination rules of the API server, and
// leads the API server's own connections to pods to these servers.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"

	corev1 "k8s.io/api/core/v1"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how the API server is reached")
	dir := flag.String("dir", "", "where Envoy's files are")
	admin := flag.String("envoy-admin", "", "the URL of Envoy's administration")
	socket := flag.String("egress", "", "the socket on which the API server's connections arrive")
	ready := flag.String("ready", "", "the file for the URL where the servers are listed, written when everything is served")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *kubeconfig, *dir, *admin, *socket, *ready); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, kubeconfig, dir, admin, socket, readyFile string) error {
	running := &backends{byPod: map[string]*backend{}}
	egress, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go tunnel(egress, running)
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(own, running)

	// Changes that come while others are being applied are applied together.
	changes := make(chan struct{}, 1)
	changed := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	all, err := watch(ctx, kubeconfig, changed)
	if err != nil {
		return err
	}
	envoy := &envoy{dir: dir, admin: admin, written: map[string]string{}}
	router := &router{}
	for {
		pods := map[string]*corev1.Pod{}
		for _, pod := range list[*corev1.Pod](all.pods) {
			if ready(pod) {
				pods[key(pod)] = pod
			}
		}
		if err := running.sync(pods); err != nil {
			return err
		}
		mesh := read(all, running)
		virtualHosts := router.route(mesh, all)
		if err := envoy.apply(mesh.clusters, virtualHosts); err != nil {
			return err
		}
		if readyFile != "" {
			if err := os.WriteFile(readyFile, []byte("http://"+own.Addr().String()), 0o600); err != nil {
				return err
			}
			readyFile = ""
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return nil
		}
	}
}
