//! How much a contract may ask to be served. A few megabytes can describe more than any machine has room for; what a
//! route costs is a hundred times what it takes to write it down.

use cloudstate_proto::{
    descriptor::MethodDescriptorProto,
    google::api::{HttpRule, http_rule::Pattern},
};

use super::Rejection;

/// How many services; our choice, like all limits here: several times the largest contract that we know of.
const MAX_SERVICES: usize = 1_000;
/// How many rpcs, of all services.
const MAX_METHODS: usize = 10_000;
/// How many HTTP routes, of all rpcs.
const MAX_ROUTES: usize = 10_000;
/// How long all path templates are together, in bytes.
const MAX_TEMPLATES: usize = 1024 * 1024;

/// Adds up what is served.
#[derive(Default)]
pub(super) struct Size {
    services: usize,
    methods: usize,
    routes: usize,
    templates: usize,
}

impl Size {
    pub(super) fn add_service(
        &mut self,
        name: &str,
        methods: &[MethodDescriptorProto],
    ) -> Result<(), Rejection> {
        self.services += 1;
        within(self.services, MAX_SERVICES, name, "services")?;
        self.methods += methods.len();
        within(self.methods, MAX_METHODS, name, "rpcs")?;
        methods.iter().try_for_each(|method| self.add_routes(name, method))
    }

    fn add_routes(&mut self, service: &str, method: &MethodDescriptorProto) -> Result<(), Rejection> {
        let rule = method.options.as_ref().and_then(|options| options.http.as_ref());
        let additional = rule.map_or(&[][..], |rule| &rule.additional_bindings);
        let place = || format!("{service}/{}", method.name);
        self.routes += 1 + additional.len();
        within(self.routes, MAX_ROUTES, &place(), "HTTP routes")?;
        self.templates += rule.into_iter().chain(additional).map(template_length).sum::<usize>();
        within(self.templates, MAX_TEMPLATES, &place(), "bytes of path templates")
    }
}

fn template_length(rule: &HttpRule) -> usize {
    match &rule.pattern {
        None => 0,
        Some(Pattern::Custom(custom)) => custom.path.len(),
        Some(
            Pattern::Get(path)
            | Pattern::Put(path)
            | Pattern::Post(path)
            | Pattern::Delete(path)
            | Pattern::Patch(path),
        ) => path.len(),
    }
}

fn within(count: usize, limit: usize, place: &str, what: &str) -> Result<(), Rejection> {
    if count <= limit {
        return Ok(());
    }
    Err(Rejection(format!(
        "with [{place:.1000}] the contract has more than {limit} {what}, which is what this proxy serves: \
         remove some, or split the user function"
    )))
}
