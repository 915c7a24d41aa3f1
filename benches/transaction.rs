//! Finding the transaction of a message among many: a copy of a request, a response, and a request nobody knows.

#![allow(missing_docs)] // criterion_group! makes a public function without a word.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use ringback::sip::flow::{Flow, Transport};
use ringback::sip::message::{Message, Request, Response};
use ringback::sip::outbox::Outbox;
use ringback::sip::transaction::table::Table;
use ringback::time::Tick;
use std::hint::black_box;
use std::net::SocketAddr;

/// Transactions alive while one is looked for: 300 calls a second with their lingering of 32 s.
const ALIVE: u32 = 10_000;

fn options(n: u32) -> Request {
    let text = format!(
        "OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n:032x};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@192.0.2.1>;tag={n:032x}\r\nTo: <sip:bob@192.0.2.2>\r\n\
         Call-ID: {n:032x}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    match Message::parse(&Bytes::from(text)) {
        Ok(Message::Request(request)) => request,
        other => panic!("the request is well formed: {other:?}"),
    }
}

fn transaction(criterion: &mut Criterion) {
    let flow = Flow {
        transport: Transport::Udp,
        local: SocketAddr::from(([192, 0, 2, 2], 5060)),
        remote: SocketAddr::from(([192, 0, 2, 1], 5060)),
    };
    let now = Tick::from_millis(1);
    let (mut table, mut out) = (Table::<()>::default(), Outbox::default());
    for n in 0..ALIVE {
        table.open(flow, &options(n), None).expect("the table has room");
        table.begin(now, flow, options(ALIVE + n), None, (), &mut out).expect("the table has room");
    }
    let (copy, stranger) = (options(ALIVE / 2), options(u32::MAX));
    let response = Response::to(&options(ALIVE + ALIVE / 2), 100);

    let mut group = criterion.benchmark_group("transaction");
    group.bench_function("copy of a request", |bencher| {
        bencher.iter(|| table.on_request(now, flow, black_box(&copy), &mut out));
    });
    group.bench_function("response", |bencher| {
        bencher.iter(|| table.on_response(now, flow, black_box(&response), &mut out));
    });
    group.bench_function("unknown request", |bencher| {
        bencher.iter(|| table.on_request(now, flow, black_box(&stranger), &mut out));
    });
    group.finish();
}

criterion_group!(benches, transaction);
criterion_main!(benches);
