//! The state tables of the four transaction machines (RFC 3261 §17, RFC 6026), derived by asking the code what every
//! input does in every state. They were reviewed against figures 5 to 8 (those of INVITE as RFC 6026 §7 redraws
//! them); a change of the code shows up as a change of the table. `RINGBACK_GOLDEN=write` writes them anew for
//! review.
//!
//! Each row: state, input, actions, next state. Instants are seconds from the input, deadlines by their RFC letter.

use ringback::sip::transaction::invite_client::{self, InviteClient};
use ringback::sip::transaction::invite_server::{self, InviteServer};
use ringback::sip::transaction::non_invite_client::{self, NonInviteClient};
use ringback::sip::transaction::non_invite_server::{self, NonInviteServer};
use ringback::sip::transaction::timers::{Resend, T1, T2};
use ringback::sip::transaction::{Actions, Class};
use ringback::time::Tick;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// The instant of every input.
const NOW: Tick = Tick::from_millis(100_000);
const RESPONSES: [(&str, Class); 3] =
    [("1xx", Class::Provisional), ("2xx", Class::Success), ("300-699", Class::Failure)];

/// A table under construction.
struct Table(String);

impl Table {
    fn new(figure: &str) -> Table {
        Table(format!("# {figure}\n{:<34} {:<24} {:<26} next state\n", "state", "input", "actions"))
    }

    fn row(&mut self, state: &str, input: &str, actions: &Actions, next: &str) {
        let actions: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
        let actions = if actions.is_empty() { "-".to_owned() } else { actions.join(" ") };
        let next = if next == state { "=" } else { next };
        writeln!(self.0, "{state:<34} {input:<24} {actions:<26} {next}").expect("a String takes everything");
    }

    fn compare(self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("transaction_{name}.table"));
        if std::env::var("RINGBACK_GOLDEN").as_deref() == Ok("write") {
            std::fs::write(&path, &self.0).expect("the golden file can be written");
        }
        let golden = std::fs::read_to_string(&path).expect("the golden file is in the tree");
        assert_eq!(self.0, golden, "the machine and its reviewed table differ");
    }
}

/// Seconds from now.
fn secs(at: Tick) -> String {
    let (sign, millis) = if at < NOW { ("-", NOW.since(at)) } else { ("+", at.since(NOW)) };
    format!("{sign}{}", millis.as_secs_f64())
}

fn resend(letter: char, resend: Resend) -> String {
    format!("{letter}{} every {}", secs(resend.at), resend.every.as_secs_f64())
}

/// A retransmission that is due later, and the same one due now.
fn later(every: Duration) -> Resend {
    Resend { at: NOW + Duration::from_millis(300), every }
}

fn due(every: Duration) -> Resend {
    Resend { at: NOW, every }
}

const LATER: Tick = Tick::from_millis(110_000);

#[test]
fn invite_client_does_what_figure_5_says() {
    use invite_client::State;
    let show = |state: &State| match *state {
        State::Calling { resend: again, give_up } => format!("Calling({}, B{})", resend('A', again), secs(give_up)),
        State::Proceeding { give_up: None } => "Proceeding".to_owned(),
        State::Proceeding { give_up: Some(at) } => format!("Proceeding(cancelled, {})", secs(at)),
        State::Completed { until } => format!("Completed(D{})", secs(until)),
        State::Accepted { until } => format!("Accepted(M{})", secs(until)),
        State::Terminated => "Terminated".to_owned(),
    };
    let mut table = Table::new("INVITE client transaction: RFC 3261 figure 5, RFC 6026 §7.2");
    let mut actions = Actions::default();
    let machine = InviteClient::new(NOW, &mut actions);
    table.row("(none)", "INVITE from core", &actions, &show(machine.state()));
    let states = [
        State::Calling { resend: later(T1), give_up: LATER },
        State::Proceeding { give_up: None },
        State::Proceeding { give_up: Some(LATER) },
        State::Completed { until: LATER },
        State::Accepted { until: LATER },
        State::Terminated,
    ];
    let mut run = |state: State, input: &str, act: &dyn Fn(&mut InviteClient, &mut Actions)| {
        let (mut machine, mut actions) = (InviteClient::in_state(state), Actions::default());
        act(&mut machine, &mut actions);
        table.row(&show(&state), input, &actions, &show(machine.state()));
    };
    for state in states {
        for (name, class) in RESPONSES {
            run(state, name, &|machine, out| machine.on_response(NOW, class, out));
        }
        run(state, "CANCEL sent", &|machine, _| machine.on_cancel_sent(NOW));
        run(state, "transport error", &|machine, out| machine.on_transport_error(out));
        run(state, "timer, too early", &|machine, out| machine.on_timeout(NOW, out));
    }
    let due_states = [
        ("timer A", State::Calling { resend: due(T1), give_up: LATER }),
        ("timer A", State::Calling { resend: due(Duration::from_secs(16)), give_up: LATER }),
        ("timer B", State::Calling { resend: later(T1), give_up: NOW }),
        ("64*T1 after CANCEL", State::Proceeding { give_up: Some(NOW) }),
        ("timer D", State::Completed { until: NOW }),
        ("timer M", State::Accepted { until: NOW }),
    ];
    for (name, state) in due_states {
        run(state, name, &|machine, out| machine.on_timeout(NOW, out));
    }
    table.compare("invite_client");
}

#[test]
fn invite_server_does_what_figure_7_says() {
    use invite_server::State;
    let show = |state: &State| match *state {
        State::Proceeding => "Proceeding".to_owned(),
        State::Completed { resend: again, give_up } => format!("Completed({}, H{})", resend('G', again), secs(give_up)),
        State::Confirmed { until } => format!("Confirmed(I{})", secs(until)),
        State::Accepted { until } => format!("Accepted(L{})", secs(until)),
        State::Terminated => "Terminated".to_owned(),
    };
    let mut table = Table::new("INVITE server transaction: RFC 3261 figure 7, RFC 6026 §7.1");
    table.row("(none)", "INVITE", &Actions::default(), &show(InviteServer::new().state()));
    let states = [
        State::Proceeding,
        State::Completed { resend: later(T1), give_up: LATER },
        State::Confirmed { until: LATER },
        State::Accepted { until: LATER },
        State::Terminated,
    ];
    let mut run = |state: State, input: &str, act: &dyn Fn(&mut InviteServer, &mut Actions)| {
        let (mut machine, mut actions) = (InviteServer::in_state(state), Actions::default());
        act(&mut machine, &mut actions);
        table.row(&show(&state), input, &actions, &show(machine.state()));
    };
    for state in states {
        run(state, "INVITE again", &|machine, out| machine.on_request(out));
        run(state, "ACK", &|machine, out| machine.on_ack(NOW, out));
        for (name, class) in RESPONSES {
            run(state, &format!("{name} from core"), &|machine, out| machine.on_answer(NOW, class, out));
        }
        run(state, "timer, too early", &|machine, out| machine.on_timeout(NOW, out));
    }
    let due_states = [
        ("timer G", State::Completed { resend: due(T1), give_up: LATER }),
        ("timer G", State::Completed { resend: due(T2), give_up: LATER }),
        ("timer H", State::Completed { resend: later(T1), give_up: NOW }),
        ("timer I", State::Confirmed { until: NOW }),
        ("timer L", State::Accepted { until: NOW }),
    ];
    for (name, state) in due_states {
        run(state, name, &|machine, out| machine.on_timeout(NOW, out));
    }
    table.compare("invite_server");
}

#[test]
fn non_invite_client_does_what_figure_6_says() {
    use non_invite_client::State;
    let show = |state: &State| match *state {
        State::Trying { resend: again, give_up } => format!("Trying({}, F{})", resend('E', again), secs(give_up)),
        State::Proceeding { resend: again, give_up } => {
            format!("Proceeding({}, F{})", resend('E', again), secs(give_up))
        }
        State::Completed { until } => format!("Completed(K{})", secs(until)),
        State::Terminated => "Terminated".to_owned(),
    };
    let mut table = Table::new("Non-INVITE client transaction: RFC 3261 figure 6");
    let mut actions = Actions::default();
    let machine = NonInviteClient::new(NOW, &mut actions);
    table.row("(none)", "request from core", &actions, &show(machine.state()));
    let states = [
        State::Trying { resend: later(T1), give_up: LATER },
        State::Proceeding { resend: later(T2), give_up: LATER },
        State::Completed { until: LATER },
        State::Terminated,
    ];
    let mut run = |state: State, input: &str, act: &dyn Fn(&mut NonInviteClient, &mut Actions)| {
        let (mut machine, mut actions) = (NonInviteClient::in_state(state), Actions::default());
        act(&mut machine, &mut actions);
        table.row(&show(&state), input, &actions, &show(machine.state()));
    };
    for state in states {
        for (name, class) in RESPONSES {
            run(state, name, &|machine, out| machine.on_response(NOW, class, out));
        }
        run(state, "transport error", &|machine, out| machine.on_transport_error(out));
        run(state, "timer, too early", &|machine, out| machine.on_timeout(NOW, out));
    }
    let due_states = [
        ("timer E", State::Trying { resend: due(T1), give_up: LATER }),
        ("timer E", State::Trying { resend: due(T2), give_up: LATER }),
        ("timer F", State::Trying { resend: later(T1), give_up: NOW }),
        ("timer E", State::Proceeding { resend: due(T2), give_up: LATER }),
        ("timer F", State::Proceeding { resend: later(T2), give_up: NOW }),
        ("timer K", State::Completed { until: NOW }),
    ];
    for (name, state) in due_states {
        run(state, name, &|machine, out| machine.on_timeout(NOW, out));
    }
    table.compare("non_invite_client");
}

#[test]
fn non_invite_server_does_what_figure_8_says() {
    use non_invite_server::State;
    let show = |state: &State| match *state {
        State::Trying => "Trying".to_owned(),
        State::Proceeding => "Proceeding".to_owned(),
        State::Completed { until } => format!("Completed(J{})", secs(until)),
        State::Terminated => "Terminated".to_owned(),
    };
    let mut table = Table::new("Non-INVITE server transaction: RFC 3261 figure 8");
    table.row("(none)", "request", &Actions::default(), &show(NonInviteServer::new().state()));
    let states = [State::Trying, State::Proceeding, State::Completed { until: LATER }, State::Terminated];
    let mut run = |state: State, input: &str, act: &dyn Fn(&mut NonInviteServer, &mut Actions)| {
        let (mut machine, mut actions) = (NonInviteServer::in_state(state), Actions::default());
        act(&mut machine, &mut actions);
        table.row(&show(&state), input, &actions, &show(machine.state()));
    };
    for state in states {
        run(state, "request again", &|machine, out| machine.on_request(out));
        for (name, class) in RESPONSES {
            run(state, &format!("{name} from core"), &|machine, out| machine.on_answer(NOW, class, out));
        }
        run(state, "timer, too early", &|machine, _| machine.on_timeout(NOW));
    }
    run(State::Completed { until: NOW }, "timer J", &|machine, _| machine.on_timeout(NOW));
    table.compare("non_invite_server");
}
