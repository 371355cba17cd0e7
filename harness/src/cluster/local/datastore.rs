//! The datastore of a local cluster, as it was at another time.
//!
//! Copies are cold: etcd is killed, its folder copied, etcd started again. The API server must be down meanwhile.

use std::fs;
use std::path::{Path, PathBuf};

use super::LocalCluster;
use super::etcd::Etcd;
use crate::cluster::ClusterError;

impl LocalCluster {
    /// Copies the data of etcd into a new folder.
    pub async fn copy_datastore(&mut self, to: &Path) -> Result<(), ClusterError> {
        let data = self.kill_etcd().await;
        copy(data, to.to_owned()).await?;
        self.start_etcd().await
    }

    /// Puts data that were copied in place of those of etcd.
    ///
    /// Revisions do not go back: they are raised above the last one, and what came before is forgotten. Else clients
    /// that watch from a revision of the lost time would see nothing until it comes again.
    pub async fn put_datastore_back(&mut self, from: &Path) -> Result<(), ClusterError> {
        let etcd = Etcd::at(self.ports.etcd);
        let last = etcd.revision().await?;
        let data = self.kill_etcd().await;
        fs::remove_dir_all(&data).map_err(ClusterError::io("remove the folder", &data))?;
        copy(from.to_owned(), data).await?;
        self.start_etcd().await?;
        etcd.raise(last + 1).await
    }
}

async fn copy(from: PathBuf, to: PathBuf) -> Result<(), ClusterError> {
    let place = to.clone();
    let copied = tokio::task::spawn_blocking(move || copy_folder(&from, &to)).await;
    copied.map_err(std::io::Error::other).flatten().map_err(ClusterError::io("copy to", &place))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    // Of etcd itself: it refuses folders that others may read.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
