//! One of several ways to the same place: tried when those before it have failed.

use crate::sip::flow::Flow;
use crate::sip::registrar::Binding;

#[derive(Clone, Debug)]
pub struct Hop {
    pub flow: Flow,
    /// The Request-URI there.
    pub uri: String,
    /// The proxies on the way, as values of Route.
    pub route: Vec<String>,
    /// Nothing else leads there, should the flow's connection be gone.
    pub is_pinned: bool,
}

impl Hop {
    /// A flow of a phone, with the proxies that it registered by.
    pub fn to_phone(binding: Binding) -> Hop {
        let is_pinned = binding.is_pinned();
        Hop { flow: binding.flow, uri: binding.uri, route: binding.path, is_pinned }
    }

    /// An address of a trunk; where it fails, the trunk's next one is tried.
    pub fn to_trunk(flow: Flow, uri: &str, route: &[String]) -> Hop {
        Hop { flow, uri: uri.to_owned(), route: route.to_vec(), is_pinned: true }
    }
}
