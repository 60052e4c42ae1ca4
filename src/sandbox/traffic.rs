//! Requests that flow by the routes in force.
