//! Who is a trunk, by where a request comes from.

use super::{Lookup, Place, Trunk, Trunks};
use crate::id::Name;
use std::net::IpAddr;

impl Trunks {
    /// Whose address this is: an exact resolved address first, then the narrowest `acl` block, then the resolved host
    /// on another port (never for loopback, where phones and carriers share one address).
    pub fn by_source(&self, address: IpAddr, port: u16) -> Option<&Name> {
        let address = address.to_canonical();
        let remotes = |trunk: &Trunk| -> Vec<(IpAddr, u16)> {
            trunk.flows().iter().map(|flow| (flow.remote.ip().to_canonical(), flow.remote.port())).collect()
        };
        let exact = || self.trunks.iter().find(|trunk| remotes(trunk).contains(&(address, port)));
        let block = |trunk: &Trunk| {
            let acl = trunk.settings.acl.iter().filter(|cidr| cidr.contains(address));
            acl.map(|cidr| cidr.bits).max()
        };
        let listed = || {
            // The first of equals: `max_by_key` would take the last.
            self.trunks.iter().rev().filter(|trunk| block(trunk).is_some()).max_by_key(|trunk| block(trunk))
        };
        let same_host = || {
            let is_shared = address.is_loopback();
            self.trunks.iter().find(|trunk| !is_shared && remotes(trunk).iter().any(|(ip, _)| *ip == address))
        };
        exact().or_else(listed).or_else(same_host).map(|trunk| &trunk.settings.name)
    }

    /// Whether a trunk is looked for whose address was never known: until that is done, a moment after every
    /// start, a request of its carrier looks like a stranger's.
    pub fn is_one_sought(&self) -> bool {
        self.trunks.iter().any(|trunk| trunk.place == Place::Unknown && trunk.lookup == Lookup::Asked)
    }
}
