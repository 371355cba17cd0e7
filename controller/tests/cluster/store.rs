//! The statements on a real database server, without a cluster.

use std::time::{Duration, Instant};

use agents_controller::config::Database;
use agents_controller::decide::idempotency::{Finished, Key, Owner, Present};
use agents_controller::store::Postgres as Store;
use anyhow::{Result, anyhow, ensure};
use futures::future::try_join_all;
use hallmark::database::Server;
use jiff::Timestamp;

use crate::support::postgres;

const DATABASE: &str = "statements";
/// A database that refuses connections is noticed within this time.
const NOTICED: Duration = Duration::from_secs(10);

pub(crate) async fn statements_hold_their_promises() -> Result<()> {
    let mut server = postgres::start().await?;
    server.create(DATABASE).await?;
    let store = open(&server)?;
    // Several replicas begin at the same time, again and again.
    try_join_all((0..4).map(|_| async { open(&server)?.migrate().await.map_err(anyhow::Error::from) }))
        .await?;
    store.migrate().await?;
    one_of_many_gets_a_key(&store).await?;
    a_key_changes_hands_once(&store).await?;
    a_rebuild_follows_the_runs(&store, &server).await?;
    the_history_has_each_run_once(&store, &server).await?;
    tables_of_a_newer_program_are_refused(&store, &server).await?;
    server.kill().await;
    let asked = Instant::now();
    let error = store.now().await.err().ok_or_else(|| anyhow!("a dead server has answered"))?;
    ensure!(asked.elapsed() < NOTICED, "trouble was noticed after {:?}", asked.elapsed());
    ensure!(error.reason() == "StoreUnreachable" || error.reason() == "StoreTimeout", "{error:?}");
    server.resume().await?;
    store.now().await?;
    only_the_named_authority_is_believed(&mut server).await
}

fn open(server: &Server) -> Result<Store> {
    let database = Database::at(&server.url(DATABASE), false).map_err(|rule| anyhow!(rule))?;
    Ok(Store::new(&database))
}

/// A URL that says nothing of encryption has the server checked when an authority is named.
async fn only_the_named_authority_is_believed(server: &mut Server) -> Result<()> {
    let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let (own, other) = (certificate()?, certificate()?);
    let port = server.listen(&own.cert.pem(), &own.signing_key.serialize_pem()).await?;
    let folder = tempfile::tempdir()?;
    for (name, authority, is_believed) in [("own", own.cert.pem(), true), ("other", other.cert.pem(), false)]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, authority)?;
        let url = format!("postgres://postgres@localhost:{port}/{DATABASE}?sslrootcert={}", file.display());
        let database = Database::at(&url, true).map_err(|rule| anyhow!(rule))?;
        let answer = Store::new(&database).now().await;
        ensure!(answer.is_ok() == is_believed, "with the authority {name}: {answer:?}");
    }
    Ok(())
}

fn key(digest: &str) -> Key {
    Key { namespace: "ns".to_owned(), agent: "a".to_owned(), digest: digest.to_owned() }
}

fn owner(name: &str) -> Owner {
    Owner { name: name.to_owned(), uid: format!("uid-of-{name}") }
}

fn present(name: &str) -> Present {
    Present { namespace: "ns".to_owned(), name: name.to_owned() }
}

async fn one_of_many_gets_a_key(store: &Store) -> Result<()> {
    let wanted = key("many");
    let asked = (0..32).map(|number| {
        let (me, wanted) = (owner(&format!("run-{number}")), wanted.clone());
        async move { Ok::<_, anyhow::Error>((store.claim(&wanted, &me).await?, me)) }
    });
    let answers = try_join_all(asked).await?;
    let winners = answers.iter().filter(|(has, me)| has == me).count();
    ensure!(winners == 1, "{winners} runs got one key");
    let elsewhere = Key { agent: "b".to_owned(), ..wanted.clone() };
    ensure!(store.claim(&elsewhere, &owner("b")).await? == owner("b"), "Agents share their keys");
    let (has, _) = answers.first().ok_or_else(|| anyhow!("nobody has asked"))?;
    ensure!(store.claim(&wanted, has).await? == *has, "a run does not find its own key again");
    Ok(())
}

async fn a_key_changes_hands_once(store: &Store) -> Result<()> {
    let wanted = key("replaced");
    store.claim(&wanted, &owner("gone")).await?;
    let taken = [
        store.replace(&wanted, &owner("gone"), &owner("next")).await?,
        store.replace(&wanted, &owner("gone"), &owner("late")).await?,
    ];
    ensure!(taken == [true, false], "a key was given away twice: {taken:?}");
    store.release(&[(wanted.clone(), owner("gone").uid)]).await?;
    ensure!(store.claim(&wanted, &owner("x")).await? == owner("next"), "the key of another run was dropped");
    store.release(&[(wanted.clone(), owner("next").uid)]).await?;
    ensure!(store.claim(&wanted, &owner("x")).await? == owner("x"), "the key of a run that is gone stays");
    Ok(())
}

async fn a_rebuild_follows_the_runs(store: &Store, server: &Server) -> Result<()> {
    let [lost, wrong, kept, gone, young] = ["lost", "wrong", "kept", "gone", "young"].map(key);
    store.claim(&wrong, &owner("other")).await?;
    store.claim(&kept, &owner("starting")).await?;
    store.claim(&gone, &owner("gone")).await?;
    let age = "UPDATE idempotency_keys SET claimed_at = now() - interval '2 days'";
    sqlx::query(age).execute(&postgres::connect(server, DATABASE).await?).await?;
    store.claim(&young, &owner("gone")).await?;
    let since = store.now().await?;
    let newer = key("newer");
    store.claim(&newer, &owner("newer")).await?;
    let owners = [(lost.clone(), owner("r1")), (wrong.clone(), owner("r2")), (newer.clone(), owner("r3"))];
    let all = [present("r1"), present("r2"), present("starting")];
    let elsewhere = ["elsewhere".to_owned()];
    store.rebuild(&since, &[], &[], Some(&elsewhere)).await?;
    ensure!(store.claim(&gone, &owner("x")).await? == owner("gone"), "a namespace of others was touched");
    store.rebuild(&since, &owners, &all, Some(&["ns".to_owned()])).await?;
    store.rebuild(&since, &owners, &all, None).await?;
    for (key, expected) in
        [(lost, "r1"), (wrong, "r2"), (kept, "starting"), (gone, "x"), (young, "gone"), (newer, "newer")]
    {
        let has = store.claim(&key, &owner("x")).await?;
        ensure!(
            has == owner(expected),
            "key {:?} belongs to {:?} instead of {expected}",
            key.digest,
            has.name
        );
    }
    Ok(())
}

async fn the_history_has_each_run_once(store: &Store, server: &Server) -> Result<()> {
    let row = |uid: &str, key: Option<&str>| Finished {
        uid: uid.to_owned(),
        namespace: "ns".to_owned(),
        name: "r".to_owned(),
        agent: "a".to_owned(),
        key: key.map(str::to_owned),
        phase: "Succeeded".to_owned(),
        reason: "Completed".to_owned(),
        started_at: Some(Timestamp::UNIX_EPOCH),
        finished_at: key.map(|_| Timestamp::UNIX_EPOCH),
    };
    let rows = [row("1", None), row("2", Some("k")), row("1", None)];
    store.record(&rows).await?;
    store.record(&rows).await?;
    let count = "SELECT count(*) FROM run_history WHERE started_at = to_timestamp(0)";
    ensure!(postgres::number(server, DATABASE, count).await? == 2, "the history does not have each run once");
    let whole = "SELECT count(*) FROM run_history WHERE key_sha256 = 'k' AND finished_at = to_timestamp(0)";
    ensure!(postgres::number(server, DATABASE, whole).await? == 1, "the history has lost a key or a time");
    Ok(())
}

async fn tables_of_a_newer_program_are_refused(store: &Store, server: &Server) -> Result<()> {
    let newer = "INSERT INTO _sqlx_migrations VALUES (99, 'newer', now(), true, '', 0)";
    let connection = postgres::connect(server, DATABASE).await?;
    sqlx::query(newer).execute(&connection).await?;
    let refused = store.migrate().await;
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 99").execute(&connection).await?;
    match refused {
        Err(error) if error.reason() == "StoreSchemaMismatch" => Ok(()),
        other => Err(anyhow!("tables of a newer program: {other:?}")),
    }
}
