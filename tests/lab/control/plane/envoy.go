package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const kind = "type.googleapis.com/envoy.config."

// envoy writes the files that Envoy watches.
type envoy struct {
	dir     string
	admin   string
	written map[string]string // the resources of each file
	version int
}

// apply writes what has changed: pods before the clusters that have them, clusters before the routes that lead to them.
func (e *envoy) apply(clusters map[string]*cluster, virtualHosts []message) error {
	resources := []message{}
	for _, made := range clusters {
		file := fmt.Sprintf("%x.json", sha256.Sum256([]byte(made.name)))
		pods := message{
			"@type": kind + "endpoint.v3.ClusterLoadAssignment", "cluster_name": made.name, "endpoints": endpoints(made.addresses),
		}
		if _, err := e.write(file, []message{pods}); err != nil {
			return err
		}
		resources = append(resources, message{
			"@type": kind + "cluster.v3.Cluster", "name": made.name, "alt_stat_name": made.stats, "type": "EDS",
			"eds_cluster_config": message{"eds_config": message{
				"resource_api_version": "V3", "path_config_source": message{"path": filepath.Join(e.dir, file)},
			}},
			"connect_timeout":  "1s",
			"common_lb_config": message{"healthy_panic_threshold": message{"value": 0}},
			"circuit_breakers": message{"thresholds": []message{{
				"max_connections": 10_000, "max_pending_requests": 10_000, "max_requests": 10_000,
			}}},
		})
	}
	changed, err := e.write("cds.json", sorted(resources))
	if err == nil && changed {
		err = e.await("cluster_manager.cds")
	}
	if err != nil {
		return err
	}
	changed, err = e.write("rds.json", []message{{
		"@type": kind + "route.v3.RouteConfiguration", "name": "lab", "virtual_hosts": sorted(virtualHosts),
	}})
	if err == nil && changed {
		err = e.await("http.lab.rds.lab")
	}
	return err
}

func endpoints(addresses []string) []message {
	list := []message{}
	for _, address := range addresses {
		host, port, _ := net.SplitHostPort(address)
		number, _ := strconv.Atoi(port)
		socket := message{"address": host, "port_value": number}
		list = append(list, message{"endpoint": message{"address": message{"socket_address": socket}}})
	}
	return []message{{"lb_endpoints": list}}
}

// sorted makes texts of equal contents equal.
func sorted(list []message) []message {
	slices.SortFunc(list, func(a, b message) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return list
}

// write replaces a file unless it says the same already; by renaming, since Envoy ignores a file that is written to.
func (e *envoy) write(name string, resources []message) (bool, error) {
	text, err := json.Marshal(resources)
	if err != nil || e.written[name] == string(text) {
		return false, err
	}
	e.version++
	document, err := json.Marshal(message{"version_info": strconv.Itoa(e.version), "resources": resources})
	if err != nil {
		return false, err
	}
	path := filepath.Join(e.dir, name)
	if err := os.WriteFile(path+".new", document, 0o600); err != nil {
		return false, err
	}
	e.written[name] = string(text)
	return true, os.Rename(path+".new", path)
}

// await waits until Envoy has taken the file that was written last.
func (e *envoy) await(source string) error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		text, err := e.get("/stats?filter=" + source)
		if err != nil {
			return err
		}
		if strings.Contains(text, fmt.Sprintf("%s.version_text: \"%d\"", source, e.version)) {
			return nil
		}
	}
	text, err := e.get("/stats?filter=" + source)
	log.Printf("Envoy does not take version %d of %s: %s", e.version, source, text)
	return err
}

func (e *envoy) get(path string) (string, error) {
	response, err := http.Get(e.admin + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(response.Status))
	}
	return string(text), err
}
