//! Finds and reads the kubeconfig.

use super::Options;
use super::narrow::Pieces;
use crate::error::{Error, Result};
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig};
use serde::Deserialize as _;

/// Larger kubeconfigs, in bytes, are read in part: below this there is little to win.
const LARGE: usize = 32 * 1024;

/// What the kubeconfig says.
pub(super) struct Loaded {
    pub cluster: Cluster,
    pub user: AuthInfo,
    /// The user's name.
    pub user_name: Option<String>,
    pub context: String,
    pub namespace: Option<String>,
}

/// Where a pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Reads `--kubeconfig`, else `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod this runs in.
pub(super) fn load(options: &Options) -> Result<Loaded> {
    let mut kubeconfig = match &options.kubeconfig {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::usage(format!("cannot read the kubeconfig {}", path.display())).caused_by(error.to_string())
            })?;
            let mut read = parse(&text, Some(options)).map_err(|why| unreadable(&path.display().to_string(), &why))?;
            absolute(&mut read, path.parent());
            read
        }
        None => match default_files(options, true)? {
            Some(read) => read,
            None if options.server.is_some() => Kubeconfig::default(),
            None => return in_cluster(),
        },
    };
    if let Some(url) = &options.server {
        point_at(&mut kubeconfig, url, options);
    }
    if let Some(file) = &options.certificate_authority {
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
            cluster.certificate_authority = Some(file.to_string_lossy().into_owned());
            cluster.certificate_authority_data = None;
        }
    }
    let context = options.context.clone().or_else(|| kubeconfig.current_context.clone()).filter(|name| !name.is_empty());
    let context = context.ok_or_else(|| Error::usage("the kubeconfig has no current context").hint(choice(&kubeconfig)))?;
    let named = kubeconfig.contexts.iter().find(|named| named.name == context);
    let Some(named) = named else {
        return Err(
            Error::not_found(format!("the kubeconfig has no context `{}`", context.escape_debug())).hint(choice(&kubeconfig))
        );
    };
    let body = named.context.clone().unwrap_or_default();
    let name = options.cluster.clone().unwrap_or(body.cluster);
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == name).and_then(|named| named.cluster.clone());
    let Some(cluster) = cluster else {
        return Err(Error::not_found(format!("the kubeconfig has no cluster `{}`", name.escape_debug())));
    };
    let user_name = options.user.clone().or(body.user).filter(|name| !name.is_empty());
    let mut user = match &user_name {
        None => AuthInfo::default(),
        Some(name) => {
            let named = kubeconfig.auth_infos.into_iter().find(|named| named.name == *name);
            let Some(named) = named else {
                return Err(Error::not_found(format!("the kubeconfig has no user `{}`", name.escape_debug())));
            };
            named.auth_info.unwrap_or_default()
        }
    };
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let told = ExecAuthCluster::try_from(&cluster);
        exec.cluster = Some(told.map_err(|_| {
            Error::usage(format!("the context `{context}` of the kubeconfig cannot be used"))
                .caused_by("its cluster's certificate authority, which its plugin wants to know, cannot be read")
        })?);
    }
    Ok(Loaded { cluster, user, user_name, context, namespace: body.namespace })
}

/// Parses a kubeconfig. Of a large one, if `chosen` is given and no other file complements it, only the context that these
/// options choose is parsed, with its cluster and its user.
fn parse(text: &str, chosen: Option<&Options>) -> Result<Kubeconfig, String> {
    let large = chosen.filter(|_| text.len() > LARGE);
    // What fails in part is parsed as a whole: the error then counts the lines of the file.
    match large.and_then(|options| part(&Pieces::cut(text)?, options)) {
        Some(part) => Ok(part),
        None => read(text).map_err(|error| first_line(&error)),
    }
}

fn part(pieces: &Pieces<'_>, options: &Options) -> Option<Kubeconfig> {
    let mut kubeconfig = read(&pieces.rest).ok()?;
    let name = options.context.as_ref().or(kubeconfig.current_context.as_ref())?;
    kubeconfig.contexts = read(&pieces.only("contexts", name)).ok()?.contexts;
    let context = kubeconfig.contexts.first()?.context.as_ref()?;
    let cluster = options.cluster.as_ref().unwrap_or(&context.cluster);
    kubeconfig.clusters = read(&pieces.only("clusters", cluster)).ok()?.clusters;
    if let Some(user) = options.user.as_ref().or(context.user.as_ref()) {
        kubeconfig.auth_infos = read(&pieces.only("users", user)).ok()?.auth_infos;
    }
    Some(kubeconfig)
}

/// Parses the documents of a kubeconfig. kube brings a YAML parser of its own for this; the program is smaller by what only
/// that would need of it.
fn read(text: &str) -> Result<Kubeconfig, String> {
    let mut documents = serde_yaml::Deserializer::from_str(text).map(Option::<Kubeconfig>::deserialize);
    documents.try_fold(Kubeconfig::default(), |before, document| {
        let document = document.map_err(|error| error.to_string())?.unwrap_or_default();
        merge(before, document)
    })
}

/// Adds what a second document or file has beyond the first. (What kube would say where it cannot brings along all that its
/// other errors could say.)
fn merge(first: Kubeconfig, second: Kubeconfig) -> Result<Kubeconfig, String> {
    first.merge(second).map_err(|_| "they differ in `kind` or `apiVersion`".into())
}

/// The names of the contexts, for completion; empty where there is no kubeconfig.
pub fn contexts(options: &Options) -> Vec<String> {
    let named = options.kubeconfig.as_ref().and_then(|path| parse(&std::fs::read_to_string(path).ok()?, None).ok());
    let read = named.or_else(|| default_files(options, false).ok().flatten()).unwrap_or_default();
    read.contexts.into_iter().map(|named| named.name).collect()
}

/// The files of `KUBECONFIG` merged, or `~/.kube/config`; `None` where there is neither. With `chosen` only what the
/// options choose need be in it.
fn default_files(options: &Options, chosen: bool) -> Result<Option<Kubeconfig>> {
    let listed = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let paths: Vec<std::path::PathBuf> = match &listed {
        Some(value) => std::env::split_paths(value).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let chosen = (chosen && paths.len() == 1).then_some(options);
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = Vec::new();
    for path in paths {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // kubectl passes over files of the list that do not exist, too.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                missing.push(path.display().to_string());
                continue;
            }
            Err(error) => {
                return Err(Error::usage(format!("cannot read the kubeconfig {}", path.display())).caused_by(error.to_string()));
            }
        };
        let mut read = parse(&text, chosen).map_err(|why| unreadable(&path.display().to_string(), &why))?;
        absolute(&mut read, path.parent());
        merged = Some(match merged {
            None => read,
            Some(before) => {
                merge(before, read).map_err(|why| Error::usage("the kubeconfigs do not fit together").caused_by(why))?
            }
        });
    }
    if merged.is_none() && listed.is_some() && options.server.is_none() {
        return Err(Error::usage(format!("no such kubeconfig: {} (from KUBECONFIG)", missing.join(", "))));
    }
    Ok(merged)
}

fn in_cluster() -> Result<Loaded> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(host) = variable("KUBERNETES_SERVICE_HOST") else {
        return Err(Error::usage("no kubeconfig: there is no ~/.kube/config, and neither --kubeconfig nor KUBECONFIG names one")
            .hint("to try tidegate without a cluster: `tidegate demo`, or `tidegate sandbox run -- sh`"));
    };
    let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".into());
    // An IPv6 address stands in brackets.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let cluster = Cluster {
        server: Some(format!("https://{host}:{port}")),
        certificate_authority: Some(format!("{SERVICE_ACCOUNT}/ca.crt")),
        ..Cluster::default()
    };
    let user = AuthInfo { token_file: Some(format!("{SERVICE_ACCOUNT}/token")), ..AuthInfo::default() };
    let namespace = std::fs::read_to_string(format!("{SERVICE_ACCOUNT}/namespace")).map_err(|error| {
        Error::usage("the pod's service account cannot be used").caused_by(format!("{SERVICE_ACCOUNT}/namespace: {error}"))
    })?;
    Ok(Loaded { cluster, user, user_name: None, context: "in-cluster".into(), namespace: Some(namespace) })
}

/// `--server` replaces the cluster of the context, or stands alone.
fn point_at(kubeconfig: &mut Kubeconfig, url: &str, options: &Options) {
    use kube::config::{Context, NamedAuthInfo, NamedCluster, NamedContext};
    let current = options.context.clone().or_else(|| kubeconfig.current_context.clone());
    let context =
        kubeconfig.contexts.iter().find(|named| Some(&named.name) == current.as_ref()).and_then(|named| named.context.as_ref());
    match options.cluster.clone().or_else(|| context.map(|context| context.cluster.clone())) {
        Some(cluster) => {
            for named in kubeconfig.clusters.iter_mut().filter(|named| named.name == cluster) {
                named.cluster.get_or_insert_default().server = Some(url.to_owned());
            }
        }
        None => {
            let name = "server".to_owned();
            let cluster = Cluster {
                server: Some(url.to_owned()),
                certificate_authority: options.certificate_authority.as_ref().map(|file| file.to_string_lossy().into_owned()),
                insecure_skip_tls_verify: options.insecure.then_some(true),
                ..Default::default()
            };
            kubeconfig.clusters.push(NamedCluster { name: name.clone(), cluster: Some(cluster), other: Default::default() });
            kubeconfig.auth_infos.push(NamedAuthInfo {
                name: name.clone(),
                auth_info: Some(Default::default()),
                other: Default::default(),
            });
            let context = Context { cluster: name.clone(), user: Some(name.clone()), ..Default::default() };
            kubeconfig.contexts.push(NamedContext { name: name.clone(), context: Some(context), other: Default::default() });
            kubeconfig.current_context = Some(name);
        }
    }
}

/// Paths in a kubeconfig are relative to it.
fn absolute(kubeconfig: &mut Kubeconfig, directory: Option<&std::path::Path>) {
    let Some(directory) = directory else { return };
    let fix = |path: &mut Option<String>| {
        if let Some(path) = path
            && !path.is_empty()
            && std::path::Path::new(path).is_relative()
        {
            *path = directory.join(&*path).to_string_lossy().into_owned();
        }
    };
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        fix(&mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        fix(&mut user.client_certificate);
        fix(&mut user.client_key);
        fix(&mut user.token_file);
        if let Some(command) = user.exec.as_mut().and_then(|exec| exec.command.as_mut())
            && command.contains('/')
            && std::path::Path::new(command).is_relative()
        {
            *command = directory.join(&*command).to_string_lossy().into_owned();
        }
    }
}

fn choice(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|named| named.name.as_str()).collect();
    match names.is_empty() {
        true => "it has no contexts at all".into(),
        false => format!("choose one with `--context`: {}", names.join(", ")),
    }
}

fn unreadable(file: &str, why: &str) -> Error {
    Error::usage(format!("{file} is not a kubeconfig")).caused_by(why)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or(text).to_owned()
}
