# Recipes of kazoo on an ensemble that loses a node in the middle: argv[1] are its addresses. "lose" asks for that; a line
# on stdin says that it is done.
import sys
import threading

from kazoo.client import KazooClient

hosts = sys.argv[1]
clients = []


def client():
    zk = KazooClient(hosts=hosts, timeout=60, connection_retry=dict(max_tries=-1), command_retry=dict(max_tries=-1, max_delay=1))
    zk.start(60)
    clients.append(zk)
    return zk


def background(f, *args):
    t = threading.Thread(target=f, args=args, daemon=True)
    t.start()
    return t


def synced(zk):
    """zk, once its node knows what other clients were told is done: a read alone may be behind them."""
    zk.sync("/")
    return zk


def join(t, what):
    t.join(60)
    assert not t.is_alive(), what


one, two, three = client(), client(), client()

# lock: one holds it over the loss, two waits for it
lock, waiting = one.Lock("/lock", "one"), two.Lock("/lock", "two")
assert lock.acquire(timeout=60)
got_lock = threading.Event()
lock_waiter = background(lambda: waiting.acquire() and got_lock.set())

# election: one leads until it is told to resign, then two does
led, resign = [], threading.Event()
election_one, election_two = one.Election("/election", "one"), two.Election("/election", "two")


def lead_until():
    led.append("one")
    resign.wait(120)


first = background(election_one.run, lead_until)
for _ in iter(lambda: bool(led), True):
    resign.wait(0.01)
second = background(election_two.run, lambda: led.append("two"))
for _ in iter(lambda: election_two.contenders() == ["one", "two"], True):
    resign.wait(0.01)

# barrier: two waits until one removes it; kazoo forgets what it watched with its connection, so two looks again
barrier = one.Barrier("/barrier")
barrier.create()
passed = threading.Event()


def wait_for_barrier():
    while not synced(two).Barrier("/barrier").wait(1):
        pass
    passed.set()


barrier_waiter = background(wait_for_barrier)

# double barrier: two enters and waits for three, both leave later
double_two, double_three = two.DoubleBarrier("/double", 2), three.DoubleBarrier("/double", 2)
double_waiter = background(double_two.enter)
double_three.enter()
join(double_waiter, "the double barrier is not entered")

# queues, counter, party
queue, locking = one.Queue("/queue"), one.LockingQueue("/locking")
for item in (b"a", b"b", b"c"):
    queue.put(item)
    locking.put(item)
assert queue.get() == b"a"
taker = two.LockingQueue("/locking")
assert taker.get(60) == b"a"
counter, other_counter = one.Counter("/counter"), two.Counter("/counter")
counter += 2
party_one, party_two = one.Party("/party", "one"), two.ShallowParty("/party2", "two")
party_one.join()
party_two.join()

sessions = [c.client_id[0] for c in clients]
print("lose", flush=True)
sys.stdin.readline()

assert not got_lock.is_set() and not passed.is_set() and led == ["one"]
lock.release()
join(lock_waiter, "the lock is not handed on")
assert got_lock.is_set() and lock.contenders() == ["two"], lock.contenders()
waiting.release()

resign.set()
join(first, "the first leader does not resign")
join(second, "nobody leads after it")
assert led == ["one", "two"], led

barrier.remove()
join(barrier_waiter, "the barrier holds")
assert passed.is_set()
leaver = background(double_two.leave)
double_three.leave()
join(leaver, "the double barrier is not left")

assert queue.get() == b"b" and queue.get() == b"c" and len(queue) == 0
assert taker.consume()
assert locking.get(60) == b"b" and locking.consume()
other_counter += 3
counter -= 1
synced(two)
assert counter.value == other_counter.value == 4, counter.value
assert list(synced(three).Party("/party")) == ["one"] and len(three.ShallowParty("/party2")) == 1
party_one.leave()
assert len(synced(three).Party("/party")) == 0
assert [c.client_id[0] for c in clients] == sessions, "a session was lost"
for c in clients:
    c.stop()
    c.close()
print("done", flush=True)
