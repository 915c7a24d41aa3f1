//! Files that are taken: the example of the interface, every field of the model, and the model's defaults.

use super::{parse, shown};
use ringback::config::schema::{Field, Honoured, Kind};
use ringback::config::tables::TABLES;
use ringback::settings::*;
use std::time::Duration;

const EVERY_FIELD: &str = include_str!("every_field.toml");
/// The smallest site with one object of each kind that has defaults.
const SMALLEST: &str = r#"
[[trunk]]
name = "carrier"
mode = "peer"
host = "203.0.113.5"

[[agent]]
name = "anna"
extension = "1001"
secret = "long-random"

[[queue]]
name = "support"
number = "5000"

[[callback_profile]]
name = "standard"

[[callback_rule]]
name = "key"
source = "queue_request"
profile = "standard"
"#;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn the_example_of_the_interface_is_taken_as_it_stands() {
    let config = parse(include_str!("interface.toml")).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    let site = &config.settings;
    assert_eq!(shown(&config.warnings), "");
    assert_eq!(site.server.public_address, Some("192.0.2.10".parse().unwrap()));
    assert_eq!(site.trunks[0].acl, [Cidr { address: "203.0.113.0".parse().unwrap(), bits: 24 }]);
    assert_eq!(site.queues[0].members, [Member::of("anna")]);
    assert_eq!(site.queues[0].rules, ["support-key".into()]);
    assert_eq!(site.inbound_routes[0].did, DidPattern::Exact("+12025550100".into()));
    assert_eq!(site.inbound_routes[0].to, Destination::Queue("support".into()));
    assert_eq!(site.caller_ids[0].trunk.as_deref(), Some("carrier"));
    assert_eq!(site.schedules[0].weekly[0].days.len(), 5);
    assert!(site.schedules[0].exceptions[0].ranges.is_empty());
    assert_eq!(site.profiles[0].intervals, [secs(0), secs(900)]);
}

// S1.B7: language: a site brings the built-in prompts in the language of a queue by name.
#[test]
fn a_prompt_may_stand_for_a_built_in_one_in_another_language() {
    let more = "[[prompt]]\nname = \"de/offer\"\nlang = \"de\"\ntext = \"Guten Tag\"\n";
    let file = SMALLEST.replace("number = \"5000\"", "number = \"5000\"\nlanguage = \"de\"") + more;
    let config = parse(&file).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    assert_eq!(config.settings.queues[0].language, "de");
    assert!(!shown(&config.warnings).contains("prompt"), "{}", shown(&config.warnings));
}

#[test]
fn every_field_of_the_tables_is_in_the_file_that_names_every_field() {
    let missing: Vec<String> = TABLES
        .iter()
        .flat_map(|table| table.fields.iter().map(move |field| (table.name, field)))
        .flat_map(|(table, field)| marks(table.to_owned(), field))
        .map(|(path, _)| path)
        .filter(|path| {
            let key = path.rsplit('.').next().unwrap();
            let found = EVERY_FIELD.contains(&format!("\n{key} = ")) || EVERY_FIELD.contains(&format!(" {key} = "));
            // These are refused, or exclude another field.
            !found && !["sip_tcp", "sip_tls", "password_file"].contains(&key)
        })
        .collect();

    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_field_is_accepted_and_each_that_does_nothing_yet_is_named() {
    let config = parse(EVERY_FIELD).unwrap_or_else(|problems| panic!("{}", shown(&problems)));

    let warned: Vec<&str> =
        config.warnings.iter().filter_map(|problem| problem.message.split([' ', ':']).next()).collect();
    let mut silent = Vec::new();
    let mut marked = vec!["trunk.codecs".to_owned()];
    for table in TABLES {
        if !table.honoured {
            marked.push(table.header());
            if !warned.contains(&table.header().as_str()) {
                silent.push(table.header());
            }
        }
        for (path, honoured) in table.fields.iter().flat_map(|field| marks(table.name.to_owned(), field)) {
            match honoured {
                Honoured::Yes if ["callback_rule.source", "callback_rule.triggers"].contains(&path.as_str()) => {}
                Honoured::Yes if ["callback_profile.destination", "inbound_route.to"].contains(&path.as_str()) => {}
                Honoured::Yes => continue,
                // Its text excludes the prompt that the file has there.
                Honoured::NotYet if path.starts_with("queue.record_notice.") => {}
                Honoured::NotYet if table.honoured && !warned.contains(&path.as_str()) => silent.push(path.clone()),
                Honoured::NotYet | Honoured::Only(_) => {}
            }
            marked.push(path);
        }
    }
    let groundless: Vec<&&str> = warned.iter().filter(|path| !marked.iter().any(|marked| marked == **path)).collect();
    assert_eq!(silent, Vec::<String>::new(), "these do nothing, and nobody is told");
    assert!(groundless.is_empty(), "these are warned about without a mark: {groundless:?}");
}

/// The marks of a field and of those inside it.
fn marks(path: String, field: &'static Field) -> Vec<(String, Honoured)> {
    let path = format!("{path}.{}", field.name);
    let below = fields_of(field).iter().flat_map(|field| marks(path.clone(), field)).collect::<Vec<_>>();
    std::iter::once((path, field.honoured)).chain(below).collect()
}

fn fields_of(field: &Field) -> &'static [Field] {
    match field.kind {
        Kind::Table(fields) | Kind::Notice(fields) => fields,
        Kind::List(Kind::Table(fields), ..) => fields,
        _ => &[], // no fields inside
    }
}

#[test]
fn every_field_reaches_the_settings() {
    let config = parse(EVERY_FIELD).unwrap();

    let site = &config.settings;
    let trunk = &site.trunks[0];
    assert_eq!(site.server.digest_algorithms, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
    assert_eq!((site.server.register_max, site.server.drain, site.server.shards), (secs(3600), secs(300), 2));
    assert_eq!(trunk.codecs, [Codec::Pcma, Codec::Pcmu]);
    assert!(matches!(&trunk.mode, TrunkMode::Register { username, auth_user, .. }
        if username == "user" && auth_user == "auth"));
    assert_eq!(site.agents[1].secret, "from-a-file");
    assert_eq!(site.queues[0].max_wait, None);
    assert_eq!(site.queues[0].record_notice, Sound::Prompt("hello".into()));
    assert_eq!(site.schedules[0].exceptions[1].ranges.len(), 1);
    let profile = &site.profiles[0];
    assert_eq!(profile.attempts_max, 4, "a longer list of intervals raises it");
    assert_eq!(profile.agent_prompt, Sound::Silent);
    assert_eq!(profile.destination, ServedBy::Queue("support".into()));
    let rule = &site.rules[0];
    assert_eq!(rule.triggers, [Trigger::Key, Trigger::AfterWait, Trigger::Announced, Trigger::Ewt]);
    assert_eq!(rule.number_capture, NumberCapture::AniOnly);
    assert_eq!(rule.prompt_goodbye, Sound::Silent);
    assert_eq!(site.rules[1].source, RuleSource::MissedQueue);
    assert_eq!(site.inbound_routes[0].to, Destination::Ivr("menu".into()), "lower priority first");
    let speech = |text: &str, voice: &str| {
        PromptSource::Speech(Speech { text: text.to_owned(), lang: "en".to_owned(), voice: Some(voice.to_owned()) })
    };
    let shell = &config.shell;
    assert_eq!(shell.prompts[0], ("hello".into(), PromptSource::File("site/hello.wav".into())));
    assert_eq!(shell.prompts[1], ("spoken".into(), speech("Hello.", "kal")));
    assert_eq!(shell.prompts[2], ("record_notice\ncallback_profile\nstandard".into(), speech("Recorded.", "kal")));
    assert_eq!(shell.speech_command, Some(vec!["espeak-ng".to_owned(), "--stdout".to_owned()]));
    assert_eq!((&*shell.api_keys[0].name, shell.api_keys[0].role), ("wallboard", Role::Auditor));
    assert_eq!(shell.api_keys[0].expires, Some("2027-01-01T00:00:00Z".parse().unwrap()));
}

/// Two objects alike but for what only one of them knows: names.
fn same(built: impl std::fmt::Debug, constructed: impl std::fmt::Debug) {
    assert_eq!(format!("{built:#?}"), format!("{constructed:#?}"));
}

#[test]
fn a_file_of_required_fields_alone_is_what_the_constructors_make() {
    let text = format!(
        "{SMALLEST}\n[[ivr]]\nname = \"menu\"\n[[number_policy]]\nname = \"careful\"\n\
         [[caller_id]]\nlabel = \"Main\"\nnumber = \"+12025550100\"\n\
         [[inbound_route]]\ntrunk = \"carrier\"\ndid = \"1\"\nto = \"queue:support\"\n"
    );
    let site = parse(&text).unwrap_or_else(|problems| panic!("{}", shown(&problems))).settings;

    same(&site.trunks[0], Trunk::peer("carrier", "203.0.113.5"));
    same(&site.agents[0], Agent::named("anna", "1001", "long-random"));
    same(&site.queues[0], Queue::named("support", "5000"));
    same(&site.profiles[0], CallbackProfile::named("standard"));
    same(&site.rules[0], CallbackRule::named("key", "standard"));
    same(&site.ivrs[0], Ivr::named("menu"));
    same(&site.number_policies[0], NumberPolicy::named("careful"));
    same(&site.caller_ids[0], CallerId::named("Main", "+12025550100"));
    let to = Destination::Queue("support".into());
    same(&site.inbound_routes[0], InboundRoute::of("carrier", DidPattern::Exact("1".into()), to));
    same(&site.system, Settings::empty(Tz::Europe__Berlin).system);
    same(Server { shards: 1, ..site.server }, Server::default());
}

#[test]
fn a_queue_that_overflows_somewhere_does_so_after_five_minutes() {
    let with = |more: &str| {
        let text = SMALLEST.replace("number = \"5000\"", &format!("number = \"5000\"\n{more}"));
        parse(&text).unwrap_or_else(|problems| panic!("{}", shown(&problems))).settings.queues[0].clone()
    };

    assert_eq!(with("overflow_dest = \"agent:anna\"").max_wait, Some(secs(300)));
    assert_eq!(with("overflow_dest = \"agent:anna\"\nmax_wait_secs = \"none\"").max_wait, None);
    assert_eq!(with("max_wait_secs = 15").max_wait, Some(secs(15)));
    assert_eq!(with("no_agents = \"overflow\"").no_agents, NoAgents::Wait, "it leads nowhere");
    let overflow = with("no_agents = \"overflow\"\noverflow_dest = \"agent:anna\"");
    assert_eq!(overflow.no_agents, NoAgents::Overflow(secs(300)));
}

#[test]
fn rules_stand_by_order_then_as_the_file_has_them() {
    let rule = |name: &str, order: u32| {
        format!(
            "[[callback_rule]]\nname = \"{name}\"\nsource = \"queue_request\"\nprofile = \"standard\"\n\
             scope = {{ queues = [\"support\"] }}\norder = {order}\n"
        )
    };
    let text = format!("{SMALLEST}\n{}{}{}", rule("late", 2), rule("early", 1), rule("also-early", 1));

    let site = parse(&text).unwrap_or_else(|problems| panic!("{}", shown(&problems))).settings;

    let names: Vec<&str> = site.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["key", "early", "also-early", "late"]);
    assert_eq!(site.queues[0].rules, ["early".into(), "also-early".into(), "late".into()]);
}

#[test]
fn an_empty_file_is_a_site_without_objects() {
    let config = parse("").unwrap();

    assert_eq!(config.shell.sip_udp, "0.0.0.0:5060".parse().unwrap());
    assert_eq!(config.shell.http, "127.0.0.1:8080".parse().unwrap());
    let server = &config.settings.server;
    assert_eq!(server.media_ports, 20_000..=20_999);
    assert_eq!(server.digest_algorithms, [DigestAlgorithm::Md5]);
    assert_eq!(server.realm, "ringback");
    assert_eq!((server.register_min, server.drain), (secs(60), secs(300)));
    assert!(server.shards >= 1);
    let system = &config.settings.system;
    assert_eq!((system.max_callback_lines, system.max_originates_per_min), (15, 60));
    assert_eq!(system.new_address_calls, Some(3));
    assert_eq!(system.default_timezone, Tz::Europe__Berlin, "the zone of the host");
    assert_eq!(shown(&config.warnings), "");
}

#[test]
fn trunks_agents_and_queues_have_the_models_defaults() {
    let site = parse(SMALLEST).unwrap_or_else(|problems| panic!("{}", shown(&problems))).settings;

    let trunk = &site.trunks[0];
    assert_eq!((trunk.port, trunk.max_calls, trunk.strip_digits), (5060, 30, 0));
    assert_eq!((trunk.options_ping, trunk.retry), (Some(secs(30)), secs(60)));
    assert_eq!(trunk.codecs, [Codec::Pcmu, Codec::Pcma]);
    assert_eq!((trunk.number_format, trunk.identity_header), (NumberFormat::E164Plus, IdentityHeader::Pai));
    assert_eq!((trunk.trusted, trunk.credentials.as_ref(), &trunk.mode), (false, None, &TrunkMode::Peer));
    let agent = &site.agents[0];
    assert_eq!((agent.max_calls, agent.wrap_up, agent.auto_ready), (1, None, true));
    assert_eq!((agent.max_no_answer, agent.decline_cooldown), (3, secs(60)));
    let queue = &site.queues[0];
    // 300 s lead to `overflow_dest`; without one nobody is dropped by a default.
    assert_eq!((queue.ring, queue.wrap_up, queue.max_wait), (secs(20), secs(10), None));
    assert_eq!((queue.max_callers, queue.strategy, queue.record), (None, Strategy::from(Pick::LongestIdle), false));
}

#[test]
fn rules_and_profiles_have_the_models_defaults() {
    let site = parse(SMALLEST).unwrap().settings;

    let rule = &site.rules[0];
    assert_eq!((rule.enabled, rule.accept, rule.process), (true, true, true));
    assert_eq!((&rule.triggers[..], rule.request_digit), (&[Trigger::Key][..], '1'));
    assert_eq!((rule.offer_after, rule.offer_repeat), (secs(600), None));
    assert_eq!((rule.only_when_all_busy, rule.min_ahead, rule.max_pending), (true, 0, None));
    assert_eq!((rule.close_guard, rule.number_capture), (secs(120), NumberCapture::ConfirmOrEnter));
    assert_eq!((rule.min_digits, rule.max_digits, rule.entry_tries), (7, 15, 3));
    assert_eq!((rule.interdigit, rule.entry_total), (secs(5), secs(40)));
    assert_eq!((rule.confirm_key, rule.cancel_key, rule.read_back, rule.priority), ('#', '*', true, 5));
    let profile = &site.profiles[0];
    assert_eq!((profile.attempts_max, &profile.intervals[..]), (3, &[secs(0), secs(900)][..]));
    assert_eq!((profile.ring_timeout, profile.success_min_talk), (secs(30), secs(5)));
    assert_eq!((profile.expires_after, profile.expiry_clock), (Some(secs(86_400)), ExpiryClock::Open));
    assert_eq!((profile.caller_id_mode, &profile.destination), (CallerIdMode::DnisElseFixed, &ServedBy::Same));
    assert_eq!((profile.record, profile.priority_boost, profile.max_lines), (false, false, None));
    assert_eq!((&profile.agent_prompt, &profile.customer_prompt), (&Sound::BuiltIn, &Sound::BuiltIn));
}

#[test]
fn a_rule_is_had_by_the_queues_of_its_scope() {
    let text = SMALLEST.replace("profile = \"standard\"", "profile = \"standard\"\nscope = { queues = [\"support\"] }");

    assert_eq!(parse(&text).unwrap().settings.queues[0].rules, ["key".into()]);
}
