package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	istio "istio.io/api/networking/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// virtualService is an object of Istio's, with what keeps its spec from being read.
type virtualService struct {
	metav1.ObjectMeta
	spec istio.VirtualService
	err  error
}

type destinationRule struct {
	metav1.ObjectMeta
	spec istio.DestinationRule
	err  error
}

// objects are the caches of everything that is watched.
type objects struct {
	pods, services, slices, virtualServices, destinationRules cache.Store
}

// watch fills the caches and calls changed after every change of one of them, until the context ends.
func watch(ctx context.Context, kubeconfig string, changed func()) (*objects, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	}
	kind := func(group, version, resource string, read func(*unstructured.Unstructured) (any, error)) cache.Store {
		informer := factory.ForResource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource}).Informer()
		// What is kept is what was read: each version of an object is read once.
		err = joined(err, informer.SetTransform(func(object any) (any, error) {
			if raw, ok := object.(*unstructured.Unstructured); ok {
				return read(raw)
			}
			return object, nil
		}))
		_, failed := informer.AddEventHandler(handler)
		err = joined(err, failed)
		return informer.GetStore()
	}
	all := &objects{
		pods:             kind("", "v1", "pods", typed[corev1.Pod]),
		services:         kind("", "v1", "services", typed[corev1.Service]),
		slices:           kind("discovery.k8s.io", "v1", "endpointslices", typed[discoveryv1.EndpointSlice]),
		virtualServices:  kind("networking.istio.io", "v1", "virtualservices", readVirtualService),
		destinationRules: kind("networking.istio.io", "v1", "destinationrules", readDestinationRule),
	}
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	for resource, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("cannot read %s", resource.Resource)
		}
	}
	return all, nil
}

func joined(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func typed[T any](raw *unstructured.Unstructured) (any, error) {
	object := new(T)
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, object)
	return object, err
}

func readVirtualService(raw *unstructured.Unstructured) (any, error) {
	object := &virtualService{ObjectMeta: meta(raw)}
	object.err = readSpec(raw, &object.spec)
	return object, nil
}

func readDestinationRule(raw *unstructured.Unstructured) (any, error) {
	object := &destinationRule{ObjectMeta: meta(raw)}
	object.err = readSpec(raw, &object.spec)
	return object, nil
}

func meta(raw *unstructured.Unstructured) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: raw.GetNamespace(), Name: raw.GetName(), UID: raw.GetUID(),
		ResourceVersion: raw.GetResourceVersion(), CreationTimestamp: raw.GetCreationTimestamp(),
	}
}

func readSpec(raw *unstructured.Unstructured, spec json.Unmarshaler) error {
	text, err := json.Marshal(raw.Object["spec"])
	if err != nil {
		return err
	}
	return spec.UnmarshalJSON(text)
}

// list gives the objects of a cache, the oldest first, as Istio orders them where several claim the same.
func list[T metav1.Object](store cache.Store) []T {
	var all []T
	for _, object := range store.List() {
		all = append(all, object.(T))
	}
	slices.SortFunc(all, func(a, b T) int {
		if order := a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time); order != 0 {
			return order
		}
		return strings.Compare(key(a), key(b))
	})
	return all
}

func key(object metav1.Object) string { return object.GetNamespace() + "/" + object.GetName() }

// ready says whether a pod takes requests.
func ready(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil || pod.Status.PodIP == "" {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// workload is the name of what a pod belongs to, as Istio's metrics have it: of a replica set's pod the deployment's.
func workload(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return pod.Name
	}
	if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		return strings.TrimSuffix(owner.Name, "-"+hash)
	}
	return owner.Name
}

// version is the label that Istio's metrics carry as destination_version.
func version(pod *corev1.Pod) string {
	if version := pod.Labels["version"]; version != "" {
		return version
	}
	return "unknown"
}
