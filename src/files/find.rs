//! The service that a name means among manifests.

use super::Checkout;
use crate::core::find::{self, Found};
use crate::core::host::ServiceRef;
use crate::core::object::Object;
use crate::core::select::Service;
use crate::core::{shell, suggest};
use crate::error::{Error, Result};
use crate::sorted;

impl Checkout {
    /// The services `wanted` with their delegates; where none is named, all that carry weights.
    ///
    /// # Errors
    /// `NotFound` where nothing fits or a delegate is not among the files, `Usage` where several fit.
    pub fn find(&self, wanted: &[ServiceRef]) -> Result<Found> {
        let mut found = Found::default();
        for one in wanted {
            found.services.push(self.service(one)?);
        }
        if wanted.is_empty() {
            for object in self.of_namespace(None).filter(|object| find::weighted(object)) {
                let (text, name, namespace) =
                    (format!("vs/{}", object.name), object.name.clone(), Some(object.namespace.clone()));
                let namespace = namespace.filter(|namespace| !namespace.is_empty());
                let object = self.one(&ServiceRef { text: text.clone(), name: name.clone(), namespace, object_only: true })?;
                // A dot would separate a namespace.
                let typed = if name.contains('.') { text } else { name.clone() };
                found.services.push(Service { name, typed, objects: vec![object.clone()] });
            }
        }
        Ok(found)
    }

    /// The objects that a name can mean, for reading.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn meant(&self, wanted: &ServiceRef) -> Result<Vec<&Object>> {
        let fitting = find::meant(wanted, self.of_namespace(wanted.namespace.as_deref()));
        if fitting.is_empty() { Err(self.unknown(wanted)) } else { Ok(fitting) }
    }

    /// The objects of the namespace that was chosen. A name that says one itself means that.
    pub fn of_namespace(&self, named: Option<&str>) -> impl Iterator<Item = &Object> + Clone + use<'_> {
        let chosen = named.or(self.namespace.as_deref()).map(str::to_owned);
        let here = move |object: &&Object| {
            object.namespace.is_empty() || chosen.as_ref().is_none_or(|namespace| object.namespace == *namespace)
        };
        self.objects.iter().filter(here)
    }

    fn one(&self, wanted: &ServiceRef) -> Result<&Object> {
        match self.meant(wanted)?.as_slice() {
            [one] => Ok(one),
            several => Err(self.ambiguous(wanted, several)),
        }
    }

    fn service(&self, wanted: &ServiceRef) -> Result<Service> {
        let object = self.one(wanted)?;
        let mut objects = vec![object.clone()];
        for (namespace, name) in object.delegates() {
            let here = |other: &&Object| {
                other.name == name && (other.namespace == namespace || other.namespace.is_empty() || namespace.is_empty())
            };
            let fitting: Vec<&Object> = self.objects.iter().filter(here).collect();
            match fitting.as_slice() {
                [one] => objects.push((*one).clone()),
                [] => {
                    let whole = if namespace.is_empty() { name } else { format!("{namespace}/{name}") };
                    return Err(Error::not_found(format!(
                        "{} delegates to {whole}, which is not among the files",
                        object.title()
                    ))
                    .hint("name its file or directory with another `-f`"));
                }
                several => {
                    let delegate = ServiceRef { text: format!("vs/{name}"), name, namespace: None, object_only: true };
                    return Err(self.ambiguous(&delegate, several));
                }
            }
        }
        Ok(Service { name: wanted.text.clone(), typed: wanted.text.clone(), objects })
    }

    fn unknown(&self, wanted: &ServiceRef) -> Error {
        let chosen = wanted.namespace.as_deref().or(self.namespace.as_deref());
        let place = chosen.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
        let mut error = Error::not_found(format!("no virtual service for `{}`{place} in {}", wanted.name, self.title()));
        for unread in self.unread(std::slice::from_ref(&wanted.name)).take(3) {
            error = error.caused_by(&unread.message);
        }
        let elsewhere = self.objects.iter().find(|object| object.is_meant(&ServiceRef { namespace: None, ..wanted.clone() }));
        if let Some(object) = elsewhere {
            return error.hint(format!("there is one in another namespace: `-n {}` ({})", object.namespace, place_of(object)));
        }
        let names = sorted::set(self.of_namespace(chosen).map(|object| object.name.as_str()));
        let names: Vec<&str> = names.into_iter().collect();
        match suggest::nearest(&wanted.name, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => error,
            None if names.len() <= 12 => error.hint(format!("there are: {}", names.join(", "))),
            None => error.hint(format!("`tidegate status{}` shows the {} that there are", self.flags, names.len())),
        }
    }

    /// Overlays and stages repeat a name: the flags that tell them apart.
    fn ambiguous(&self, wanted: &ServiceRef, several: &[&Object]) -> Error {
        let first = several[0];
        let mut message = format!("{} virtual services fit `{}`:", several.len(), wanted.name);
        for object in several {
            let namespace = if object.namespace.is_empty() { String::new() } else { format!(" in {}", object.namespace) };
            message += &format!("\n  {} vs/{}{namespace}", place_of(object), object.name);
        }
        let differ = |of: fn(&Object) -> &str| several.iter().filter(|other| of(other) == of(first)).count() == 1;
        let file = first.origin.as_deref().map_or("", |origin| origin.file.as_str());
        let error = Error::usage(message);
        if differ(|object| &object.namespace) && !first.namespace.is_empty() {
            error.hint(format!("choose by namespace: `-n {}`", first.namespace))
        } else if differ(|object| object.origin.as_deref().map_or("", |origin| origin.file.as_str())) {
            error.hint(format!("choose by file: `-f {}`", shell::quoted(file)))
        } else {
            error.hint(format!("name the object: `vs/{}`", first.name))
        }
    }
}

/// `k8s/carts.yaml:12`
fn place_of(object: &Object) -> String {
    object.origin.as_deref().map_or_else(String::new, |origin| format!("{}:{}", origin.file, origin.line))
}
