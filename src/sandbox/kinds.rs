//! The kinds of object that the server keeps.

/// One kind of object.
#[derive(Debug)]
pub struct Kind {
    /// API group, empty for the core.
    pub group: &'static str,
    /// The versions served, the stored one first.
    pub versions: &'static [&'static str],
    /// `VirtualService`
    pub kind: &'static str,
    /// `virtualservices`
    pub plural: &'static str,
    /// `virtualservice`
    pub singular: &'static str,
    /// `vs`
    pub short: &'static [&'static str],
    /// `all`, `istio-io`
    pub categories: &'static [&'static str],
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// A custom resource: pruned and checked by a schema, its members sorted.
    pub custom: bool,
    /// Subresources: `status`, `scale`.
    pub subresources: &'static [&'static str],
}

impl Kind {
    /// `virtualservices.networking.istio.io`, or `pods`.
    pub fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// `networking.istio.io/v1`, or `v1`.
    pub fn api_version(&self, version: &str) -> String {
        match self.group {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }

    /// Whether its objects count their changes in `metadata.generation`.
    pub fn generation(&self) -> bool {
        self.custom || !self.group.is_empty() && self.plural != "leases" || self.plural == "pods"
    }

    /// The version in which objects are stored.
    pub fn stored_version(&self) -> &'static str {
        self.versions.first().copied().unwrap_or("v1")
    }
}

const fn core(kind: &'static str, plural: &'static str, singular: &'static str) -> Kind {
    Kind {
        group: "",
        versions: &["v1"],
        kind,
        plural,
        singular,
        short: &[],
        categories: &[],
        namespaced: true,
        custom: false,
        subresources: &[],
    }
}

const fn istio(kind: &'static str, plural: &'static str, singular: &'static str, short: &'static [&'static str]) -> Kind {
    Kind {
        group: "networking.istio.io",
        versions: &["v1", "v1beta1", "v1alpha3"],
        short,
        categories: &["istio-io", "networking-istio-io"],
        custom: true,
        subresources: &["status"],
        ..core(kind, plural, singular)
    }
}

/// Virtual services.
pub static VIRTUAL_SERVICES: Kind = istio("VirtualService", "virtualservices", "virtualservice", &["vs"]);
/// Destination rules.
pub static DESTINATION_RULES: Kind = istio("DestinationRule", "destinationrules", "destinationrule", &["dr"]);
/// Gateways.
pub static GATEWAYS: Kind = istio("Gateway", "gateways", "gateway", &["gw"]);
/// Who must show a certificate to whom.
pub static PEER_AUTHENTICATIONS: Kind = Kind {
    group: "security.istio.io",
    versions: &["v1", "v1beta1"],
    categories: &["istio-io", "security-istio-io"],
    ..istio("PeerAuthentication", "peerauthentications", "peerauthentication", &["pa"])
};
/// Namespaces.
pub static NAMESPACES: Kind =
    Kind { namespaced: false, short: &["ns"], subresources: &["status"], ..core("Namespace", "namespaces", "namespace") };
/// Pods.
pub static PODS: Kind =
    Kind { short: &["po"], categories: &["all"], subresources: &["status", "log"], ..core("Pod", "pods", "pod") };
/// Services.
pub static SERVICES: Kind =
    Kind { short: &["svc"], categories: &["all"], subresources: &["status"], ..core("Service", "services", "service") };
/// Configuration maps.
pub static CONFIG_MAPS: Kind = Kind { short: &["cm"], ..core("ConfigMap", "configmaps", "configmap") };
/// Secrets.
pub static SECRETS: Kind = core("Secret", "secrets", "secret");
/// Service accounts.
pub static SERVICE_ACCOUNTS: Kind = Kind { short: &["sa"], ..core("ServiceAccount", "serviceaccounts", "serviceaccount") };
/// Claims of storage.
pub static CLAIMS: Kind = Kind {
    short: &["pvc"],
    subresources: &["status"],
    ..core("PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim")
};
/// Events.
pub static EVENTS: Kind = Kind { short: &["ev"], ..core("Event", "events", "event") };
/// Deployments.
pub static DEPLOYMENTS: Kind = Kind {
    group: "apps",
    short: &["deploy"],
    categories: &["all"],
    subresources: &["status", "scale"],
    ..core("Deployment", "deployments", "deployment")
};
/// Replica sets.
pub static REPLICA_SETS: Kind = Kind {
    group: "apps",
    short: &["rs"],
    categories: &["all"],
    subresources: &["status", "scale"],
    ..core("ReplicaSet", "replicasets", "replicaset")
};
/// Jobs.
pub static JOBS: Kind = Kind { group: "batch", categories: &["all"], subresources: &["status"], ..core("Job", "jobs", "job") };
/// Endpoint slices.
pub static ENDPOINT_SLICES: Kind = Kind { group: "discovery.k8s.io", ..core("EndpointSlice", "endpointslices", "endpointslice") };
/// Leases.
pub static LEASES: Kind = Kind { group: "coordination.k8s.io", ..core("Lease", "leases", "lease") };
/// Configurations of validating webhooks.
pub static WEBHOOKS: Kind = Kind {
    group: "admissionregistration.k8s.io",
    namespaced: false,
    ..core("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "validatingwebhookconfiguration")
};

/// All kinds, in the order of discovery.
pub static KINDS: [&Kind; 18] = [
    &CONFIG_MAPS,
    &EVENTS,
    &NAMESPACES,
    &CLAIMS,
    &PODS,
    &SECRETS,
    &SERVICE_ACCOUNTS,
    &SERVICES,
    &DEPLOYMENTS,
    &REPLICA_SETS,
    &WEBHOOKS,
    &JOBS,
    &LEASES,
    &ENDPOINT_SLICES,
    &DESTINATION_RULES,
    &GATEWAYS,
    &VIRTUAL_SERVICES,
    &PEER_AUTHENTICATIONS,
];

/// The kind served under this group, version and plural name.
pub fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.into_iter().find(|kind| kind.group == group && kind.plural == plural && kind.versions.contains(&version))
}

/// The kind of an object with this `apiVersion` and `kind`.
pub fn by_object(api_version: &str, name: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    KINDS.into_iter().find(|kind| kind.group == group && kind.kind == name && kind.versions.contains(&version))
}
