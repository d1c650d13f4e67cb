// Apache Kafka's own Java clients through the story of expectations.py: topics, every codec, a group of three through
// a rebalance, commit and resume, seek by time.
//   java -cp 'DIR/*' JavaClient.java BOOTSTRAP CA_FILE
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class JavaClient {
    static final int PARTITIONS = 6;
    static final int PER_CODEC = 60;
    static final long BASE_TIME = 1_735_689_600_000L;
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static String bootstrap;
    static String ca;

    static Properties settings() {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        p.put("security.protocol", "SSL");
        p.put("ssl.truststore.type", "PEM");
        p.put("ssl.truststore.location", ca);
        return p;
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    static void produce(String topic, String codec, Map<String, String> records, long time) throws Exception {
        Properties p = settings();
        p.put("compression.type", codec);
        p.put("linger.ms", "20");
        try (var producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            var sent = new ArrayList<java.util.concurrent.Future<?>>();
            long at = time;
            for (var record : records.entrySet())
                sent.add(producer.send(new ProducerRecord<>(topic, null, at += 1000, record.getKey(), record.getValue())));
            producer.flush();
            for (var future : sent) future.get(30, TimeUnit.SECONDS);
        }
    }

    static KafkaConsumer<String, String> consumer(String group) {
        Properties p = settings();
        if (group != null) p.put("group.id", group);
        p.put("group.protocol", "classic");
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("session.timeout.ms", "10000");
        p.put("heartbeat.interval.ms", "500");
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    static class Member extends Thread {
        final String topic;
        final String group;
        final Map<String, String> seen;
        final AtomicBoolean stopping = new AtomicBoolean();
        final AtomicReference<Throwable> error = new AtomicReference<>();
        volatile Set<Integer> assigned = Set.of();
        volatile long busy = System.nanoTime();
        volatile boolean owes;

        Member(String topic, String group, Map<String, String> seen) {
            this.topic = topic;
            this.group = group;
            this.seen = seen;
            setDaemon(true);
            start();
        }

        @Override public void run() {
            try (var consumer = consumer(group)) {
                consumer.subscribe(List.of(topic));
                while (!stopping.get()) {
                    var found = consumer.poll(Duration.ofMillis(200));
                    for (ConsumerRecord<String, String> r : found) seen.put(r.key(), r.value());
                    if (!found.isEmpty()) {
                        busy = System.nanoTime();
                        owes = true;
                    }
                    settle(consumer);
                    var now = new HashSet<Integer>();
                    for (TopicPartition tp : consumer.assignment()) now.add(tp.partition());
                    if (!now.equals(assigned)) busy = System.nanoTime();
                    assigned = now;
                }
                settle(consumer);
            } catch (Throwable t) {
                error.set(t);
            }
        }

        /** Commits what was read; while a rebalance is under way that is refused, and tried again after the next poll. */
        void settle(KafkaConsumer<String, String> consumer) {
            if (!owes) return;
            try {
                consumer.commitSync();
                owes = false;
            } catch (org.apache.kafka.common.KafkaException e) {
                busy = System.nanoTime();
            }
        }

        void end() throws Exception {
            stopping.set(true);
            join(60_000);
            check(!isAlive(), "a member did not stop");
            if (error.get() != null) throw new Exception(error.get());
        }
    }

    static void await(String what, List<Member> members, BooleanSupplier holds) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!holds.getAsBoolean()) {
            for (Member m : members) if (m.error.get() != null) throw new Exception(m.error.get());
            check(System.nanoTime() < deadline, "waited 60 s for: " + what);
            Thread.sleep(50);
        }
    }

    /** Whether nothing has come for a while: what a rebalance made a member read again can be committed. */
    static boolean quiet(List<Member> members) {
        for (Member m : members) if (m.owes || System.nanoTime() - m.busy < 1_500_000_000L) return false;
        return spread(members);
    }

    static boolean spread(List<Member> members) {
        var all = new ArrayList<Integer>();
        for (Member m : members) {
            if (m.assigned.isEmpty()) return false;
            all.addAll(m.assigned);
        }
        return all.size() == PARTITIONS && new TreeSet<>(all).size() == PARTITIONS;
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        ca = args[1];
        String suffix = Long.toString(System.nanoTime(), 36);
        String topic = "java-" + suffix;
        String group = "group-" + suffix;
        try (Admin admin = Admin.create(settings())) {
            admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get(30, TimeUnit.SECONDS);
            var wanted = new HashMap<String, String>();
            for (String codec : CODECS) {
                var batch = new java.util.LinkedHashMap<String, String>();
                for (int i = 0; i < PER_CODEC; i++) batch.put(codec + "-" + i, ("value of " + codec + " " + i + ";").repeat(8));
                produce(topic, codec, batch, BASE_TIME + CODECS.indexOf(codec) * 100_000L);
                wanted.putAll(batch);
            }
            Map<String, String> seen = new ConcurrentHashMap<>();
            var members = new ArrayList<Member>();
            for (int i = 0; i < 2; i++) members.add(new Member(topic, group, seen));
            await("two members to share the topic", members, () -> spread(members));
            members.add(new Member(topic, group, seen));
            await("three members to share the topic", members, () -> spread(members));
            await("all records", members, () -> seen.keySet().containsAll(wanted.keySet()));
            check(seen.equals(wanted), "other values came back");
            await("three members to have read all", members, () -> quiet(members));
            members.remove(0).end();
            await("two members after one has left", members, () -> quiet(members));
            for (Member m : members) m.end();

            var more = new java.util.LinkedHashMap<String, String>();
            for (int i = 0; i < 20; i++) more.put("later-" + i, "later");
            produce(topic, "none", more, BASE_TIME + 900_000);
            Map<String, String> again = new ConcurrentHashMap<>();
            var last = new Member(topic, group, again);
            await("the records after the commit", List.of(last), () -> again.keySet().containsAll(more.keySet()));
            last.end();
            check(again.keySet().equals(more.keySet()), "committed records came again");

            seek(topic);
            check(admin.listTopics().names().get(30, TimeUnit.SECONDS).contains(topic), "the topic is not listed");
            admin.deleteTopics(List.of(topic)).all().get(30, TimeUnit.SECONDS);
            await("the topic to be gone", List.of(), () -> {
                try {
                    return !admin.listTopics().names().get(30, TimeUnit.SECONDS).contains(topic);
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            });
        }
        System.out.println("java: 5 codecs, a group of three through two rebalances, commit, resume, seek by time: ok");
    }

    static void seek(String topic) {
        long time = BASE_TIME + 300_000;
        int found = 0;
        try (var consumer = consumer(null)) {
            var asked = new HashMap<TopicPartition, Long>();
            for (int i = 0; i < PARTITIONS; i++) asked.put(new TopicPartition(topic, i), time);
            for (Map.Entry<TopicPartition, OffsetAndTimestamp> place : consumer.offsetsForTimes(asked).entrySet()) {
                if (place.getValue() == null) continue;
                consumer.assign(List.of(place.getKey()));
                consumer.seek(place.getKey(), place.getValue().offset());
                var records = consumer.poll(Duration.ofSeconds(10)).records(place.getKey());
                check(!records.isEmpty() && records.get(0).offset() == place.getValue().offset(), "seek went elsewhere");
                check(records.get(0).timestamp() >= time, "an earlier record than asked for");
                found++;
            }
        }
        check(found > 0, "no partition had a record after the time");
    }
}
