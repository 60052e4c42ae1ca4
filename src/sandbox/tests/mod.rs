//! The whole server, asked over its own socket.

mod apps;
mod client;
mod faults;
mod jobs;
mod rollouts;
mod watches;
mod webhooks;
mod writes;

use client::{Client, start};

/// The path of a virtual service of the sock shop.
const CARTS: &str = "/apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices/carts";
/// Their collection.
const SERVICES: &str = "/apis/networking.istio.io/v1/namespaces/sockshop-production/virtualservices";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
