//! After a fault of the switch's own: trunks that wait for what will never come.

use super::{Kind, Lookup, Trunks, Want};
use crate::time::Now;

impl Trunks {
    /// After a fault: whoever waits for an answer to what nobody has asked (`asked`, `sought`: what is on its way) asks
    /// anew.
    pub fn mend(&mut self, now: Now, asked: impl Fn(&str, Kind) -> bool, sought: impl Fn(&str) -> bool) {
        let wanted = |trunk: &str, of: Option<Kind>| {
            self.wants.iter().any(|want| match want {
                Want::Locate { trunk: name, .. } => of.is_none() && **name == *trunk,
                Want::Request { trunk: name, kind, .. } => of == Some(*kind) && **name == *trunk,
            })
        };
        for trunk in &mut self.trunks {
            let name = trunk.settings.name.clone();
            if trunk.lookup == Lookup::Asked && !sought(&name) && !wanted(&name, None) {
                trunk.lookup = Lookup::At(now.tick);
            }
            let waits = |kind| asked(&name, kind) || wanted(&name, Some(kind));
            if !waits(Kind::Options) {
                trunk.watch.ask_again(now.tick);
            }
            if let Some(registration) = trunk.registration.as_mut().filter(|_| !waits(Kind::Register)) {
                registration.ask_again(now.tick);
            }
        }
        self.on_timeout(now);
    }
}
