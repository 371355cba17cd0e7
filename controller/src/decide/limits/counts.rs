//! Runs counted per scope.

use std::collections::HashMap;

use super::limit::Scope;
use super::scopes::Scopes;

/// How many runs there are in each scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    all: usize,
    namespaces: HashMap<String, usize>,
    agents: HashMap<String, usize>,
    repositories: HashMap<String, usize>,
}

impl Counts {
    /// Counts one run more.
    pub(super) fn add(&mut self, scopes: &Scopes) {
        self.all += 1;
        add(&mut self.namespaces, &scopes.namespace);
        add(&mut self.agents, &scopes.agent);
        if let Some(repository) = &scopes.repository {
            add(&mut self.repositories, repository);
        }
    }

    /// Counts one run less. It must have been added with the same scopes.
    pub(super) fn remove(&mut self, scopes: &Scopes) {
        self.all = self.all.saturating_sub(1);
        remove(&mut self.namespaces, &scopes.namespace);
        remove(&mut self.agents, &scopes.agent);
        if let Some(repository) = &scopes.repository {
            remove(&mut self.repositories, repository);
        }
    }

    /// Runs in all watched namespaces.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Runs in the namespace.
    pub fn namespace(&self, scopes: &Scopes) -> usize {
        self.namespaces.get(&scopes.namespace).copied().unwrap_or_default()
    }

    /// Runs of the Agent.
    pub fn agent(&self, scopes: &Scopes) -> usize {
        self.agents.get(&scopes.agent).copied().unwrap_or_default()
    }

    /// Runs on the repository, none if the scopes have no repository.
    pub fn repository(&self, scopes: &Scopes) -> usize {
        let count = scopes.repository.as_ref().and_then(|name| self.repositories.get(name));
        count.copied().unwrap_or_default()
    }

    /// Runs in the fullest scope of this kind, for monitoring without names.
    pub fn fullest(&self, scope: Scope) -> usize {
        let most = |counts: &HashMap<String, usize>| counts.values().copied().max().unwrap_or_default();
        match scope {
            Scope::Namespace => most(&self.namespaces),
            Scope::Agent => most(&self.agents),
            Scope::Repository => most(&self.repositories),
            Scope::Cluster => self.all,
        }
    }
}

fn add(counts: &mut HashMap<String, usize>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.to_owned(), 1);
        }
    }
}

fn remove(counts: &mut HashMap<String, usize>, key: &str) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
