import java.io.*;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.Stores;

/**
 * Runs Kafka's command line tools one after the other in one virtual machine. A line of input is what the tool reads, the
 * class and its arguments, each in base64, separated by blanks. The answer is a line with the status and what was printed.
 */
public class Tools {
    static final BlockingQueue<Integer> statuses = new LinkedBlockingQueue<>();
    static final Queue<Runnable> hooks = new ConcurrentLinkedQueue<>(); // what a tool does last

    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream all = new PrintStream(printed, true, "UTF-8"); // once: Scala keeps the first that it sees
        System.setOut(all);
        System.setErr(all);
        Exit.Procedure end = (status, message) -> {
            statuses.add(status);
            while (true) LockSupport.park(); // as little happens after an exit
        };
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = commands.readLine()) != null;) {
            String[] words = line.split(" ", -1);
            for (int i = 0; i < words.length; i++)
                words[i] = new String(Base64.getDecoder().decode(words[i]), StandardCharsets.UTF_8);
            System.setIn(new ByteArrayInputStream(words[0].getBytes(StandardCharsets.UTF_8)));
            printed.reset();
            Thread tool = new Thread(() -> statuses.add(run(words[1], Arrays.copyOfRange(words, 2, words.length), all)));
            tool.setDaemon(true);
            tool.start();
            int status = statuses.take();
            for (Runnable hook; (hook = hooks.poll()) != null;)
                hook.run();
            all.flush();
            answers.println(status + " " + Base64.getEncoder().encodeToString(printed.toByteArray()));
        }
    }

    static int run(String tool, String[] args, PrintStream out) {
        try {
            Class.forName(tool, true, Tools.class.getClassLoader()).getMethod("main", String[].class).invoke(null, (Object) args);
            return 0;
        } catch (InvocationTargetException e) {
            e.getCause().printStackTrace(out);
            return 1;
        } catch (Exception e) {
            e.printStackTrace(out);
            return 1;
        }
    }
}

/** Counts words with Kafka Streams, exactly once, until each of so many words has its count: bootstrap, input, output, state folder, words in all. */
class WordCount {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count");
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        p.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 3);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        StreamsBuilder words = new StreamsBuilder();
        words.<String, String>stream(args[1])
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word)
            .count(Materialized.as(Stores.inMemoryKeyValueStore("counts")))
            .toStream().to(args[2], Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(words.build(), p);
        try {
            streams.start();
            System.out.println(read(args[0], args[2], Integer.parseInt(args[4])));
        } finally {
            streams.close(Duration.ofSeconds(30));
        }
    }

    static Map<String, Long> read(String bootstrap, String topic, long total) {
        Properties p = new Properties();
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        p.put(ConsumerConfig.GROUP_ID_CONFIG, "word-reader");
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        p.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        Map<String, Long> counts = new TreeMap<>();
        long deadline = System.currentTimeMillis() + 90_000;
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(p, Serdes.String().deserializer(), Serdes.Long().deserializer())) {
            consumer.subscribe(List.of(topic));
            while (counts.values().stream().mapToLong(n -> n).sum() < total && System.currentTimeMillis() < deadline)
                for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(200)))
                    counts.put(r.key(), r.value());
        }
        return counts;
    }
}

/** Prints passwords as brokers keep them in ZooKeeper, or what such texts say: encode|decode secret cipher passwords... */
class Passwords {
    public static void main(String[] args) throws Exception {
        var encoder = org.apache.kafka.security.PasswordEncoder.encrypting(new org.apache.kafka.common.config.types.Password(args[1]), null, args[2], 256, 4096);
        for (String text : Arrays.copyOfRange(args, 3, args.length))
            System.out.println(args[0].equals("encode") ? encoder.encode(new org.apache.kafka.common.config.types.Password(text)) : encoder.decode(text).value());
    }
}
