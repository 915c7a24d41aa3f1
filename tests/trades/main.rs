//! The trades by themselves: numbers, policy, routes, agents, lines, calling hours, retries and the planner, as pure
//! functions of settings and time. Names in brackets are requirement ids.

mod agents;
mod caps;
mod gates;
mod hours;
mod lines;
mod numbers;
mod offers;
mod places;
mod planner;
mod retries;
mod routes;
mod site;
mod space;
mod strategies;
mod windows;
mod zones;
