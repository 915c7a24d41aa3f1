//! The days of the five products: in every third or so the first line, its rule, its profile and the policy of its
//! numbers are those of a preset. Drawn from the seed of the day, after everything else.

use crate::products::{fonolo, mikopbx, portsip, ring2all, voximplant};
use crate::site::secs;
use ringback::entropy::Entropy;
use ringback::settings::*;
use std::time::Duration;

type Product = (&'static str, fn(&mut Settings));

const PRODUCTS: [Product; 5] = [
    ("ring2all", ring2all),
    ("portsip", portsip),
    ("mikopbx", mikopbx),
    ("fonolo", fonolo),
    ("voximplant", voximplant),
];

/// The evening is not long enough for an expiry that is later than this.
const LATEST_EXPIRY: Duration = secs(3_600);

/// The names of all that can be drawn.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRODUCTS.iter().map(|(name, _)| *name)
}

/// Which product's day this is.
pub fn of(seed: u64) -> Option<&'static str> {
    product(seed).map(|(name, _)| name)
}

fn product(seed: u64) -> Option<Product> {
    let mut entropy = Entropy::from_seed(seed ^ 0x0F1E_5E75);
    (entropy.below(100) < 30).then(|| PRODUCTS[usize::try_from(entropy.below(5)).expect("few")])
}

/// The product's objects take the place of the day's; hours, people, lines and the pace of the day stay.
pub fn draw(seed: u64, site: &mut Settings) {
    let Some((_, becomes)) = product(seed) else { return };
    let (queue, profile) = (site.queues[0].clone(), site.profiles[0].clone());
    let policies = std::mem::take(&mut site.number_policies);
    becomes(site);
    site.number_policies.extend(policies); // Those that the other rules name.
    let of_product = &mut site.queues[0];
    (of_product.ring, of_product.wrap_up, of_product.schedule) = (queue.ring, queue.wrap_up, queue.schedule);
    (of_product.strategy, of_product.weight, of_product.sla) = (queue.strategy, queue.weight, queue.sla);
    let of_product = &mut site.profiles[0];
    of_product.schedule = profile.schedule;
    of_product.expires_after = of_product.expires_after.map(|after| after.min(LATEST_EXPIRY));
}
