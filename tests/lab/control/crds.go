// Package control pins the programs and the data that the lab's control plane is built from.
package control

// The lab reads Istio's CRDs out of this module; without an import, tidying would drop it.
import _ "istio.io/api/networking/v1"
