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
}

impl Hop {
    /// A flow of a phone, with the proxies that it registered by.
    pub fn to_phone(binding: Binding) -> Hop {
        Hop { flow: binding.flow, uri: binding.uri, route: binding.path }
    }
}
