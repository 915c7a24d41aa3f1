//! Trunks, identities, routes and menus.

use super::super::value::Value;
use super::{Builder, KIND, Object, as_text, list, pattern};
use crate::settings::*;

pub(super) fn caller_id(object: &Object) -> CallerId {
    CallerId {
        label: object.name("label"),
        number: object.string("number"),
        trunk: object.maybe_name("trunk"),
        enabled: object.yes("enabled"),
    }
}

pub(super) fn inbound(route: &Object) -> InboundRoute {
    InboundRoute {
        trunk: route.name("trunk"),
        did: pattern(route.text("did").expect(KIND)),
        to: route.destination("to").expect(KIND),
        schedule: route.maybe_name("schedule"),
        closed_to: route.destination("closed_to"),
    }
}

pub(super) fn outbound(route: &Object) -> OutboundRoute {
    OutboundRoute {
        prefix: route.string("prefix"),
        strip: route.number("strip"),
        prepend: route.string("prepend"),
        trunks: route.names("trunks"),
    }
}

impl Builder<'_> {
    pub(super) fn trunk(&self, trunk: &Object) -> Trunk {
        let secret = || self.secret(trunk, "password", "password_file").unwrap_or_default();
        let user = trunk.text("auth_user").or(trunk.text("username")).map(str::to_owned);
        let realm = trunk.text("realm").map(str::to_owned);
        let registers = trunk.text("mode") == Some("register");
        let mode = match (registers, &user) {
            (true, Some(auth_user)) => TrunkMode::Register {
                username: trunk.string("username"),
                auth_user: auth_user.clone(),
                password: secret(),
                realm: realm.clone(),
                expires: trunk.secs("register_expires_secs"),
            },
            (true, None) | (false, _) => TrunkMode::Peer,
        };
        Trunk {
            name: trunk.name("name"),
            mode,
            host: trunk.string("host"),
            port: trunk.number("port"),
            proxy: trunk.text("proxy").map(str::to_owned),
            credentials: user.map(|username| Credentials { username, password: secret(), realm }),
            acl: list(trunk, "acl")
                .into_iter()
                .filter_map(|read| if let Value::Cidr(block) = read.value { Some(block) } else { None })
                .collect(),
            options_ping: trunk.maybe_secs("options_ping_secs").filter(|every| !every.is_zero()),
            retry: trunk.secs("retry_secs"),
            max_calls: trunk.number("max_calls"),
            max_cps: trunk.number("max_cps"),
            codecs: list(trunk, "codecs").into_iter().filter_map(as_text).filter_map(codec).collect(),
            number_format: match trunk.text("number_format") {
                Some("e164") => NumberFormat::E164,
                Some("national") => NumberFormat::National,
                _ => NumberFormat::E164Plus, // the third word of the schema
            },
            strip_digits: trunk.number("strip_digits"),
            prefix: trunk.string("prefix"),
            identity_header: match trunk.text("identity_header") {
                Some("from") => IdentityHeader::From,
                Some("rpid") => IdentityHeader::Rpid,
                _ => IdentityHeader::Pai, // the third word of the schema
            },
            privacy: trunk.yes("privacy"),
            trusted: trunk.yes("trusted"),
            read_verstat: trunk.yes("read_verstat"),
            failover: trunk.maybe_name("failover_trunk"),
        }
    }

    pub(super) fn ivr(&self, ivr: &Object) -> Ivr {
        let keys = match ivr.get("keys").map(|read| &read.value) {
            Some(Value::Map(keys)) => keys.as_slice(),
            _ => &[], // no key at all
        };
        Ivr {
            name: ivr.name("name"),
            number: ivr.maybe_name("number"),
            prompt: self.sound(ivr, "prompt"),
            timeout: ivr.secs("timeout_secs"),
            tries: ivr.number("tries"),
            keys: keys
                .iter()
                .filter_map(|(key, read)| match &read.value {
                    Value::Destination(target) => Some((key.chars().next()?, super::destination(target))),
                    _ => None, // told already
                })
                .collect(),
            timeout_dest: ivr.destination("timeout_dest"),
            schedule: ivr.maybe_name("schedule"),
            closed_dest: ivr.destination("closed_dest"),
        }
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "PCMU" => Some(Codec::Pcmu),
        "PCMA" => Some(Codec::Pcma),
        _ => None, // G722, left out in this version
    }
}
