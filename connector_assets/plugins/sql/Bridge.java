// One JDBC connection, asked over standard input and answering over standard output.
//
// Python starts it as `java -cp driver.jar Bridge.java`: there is nothing to build or to install. What it
// is asked, the password too, comes in frames of UTF-8 texts, never as an argument that `ps` shows.
// Rows go out as the buffers of Arrow arrays, so that Python copies no value. When standard input
// ends, the query is cancelled at the server: a parent that was killed leaves none behind.

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public class Bridge {
    private static final int BATCH_BYTES = 4 << 20;

    private final DataOutputStream out;
    private final ExecutorService worker =
            Executors.newSingleThreadExecutor(
                    task -> {
                        Thread thread = new Thread(task);
                        thread.setDaemon(true);
                        return thread;
                    });
    private volatile Statement running;
    private volatile boolean cancelled;
    private Connection connection;

    private Bridge(DataOutputStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        DataOutputStream out =
                new DataOutputStream(
                        new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        System.setOut(System.err); // a driver that prints must not break the frames
        new Bridge(out).serve(new DataInputStream(new BufferedInputStream(System.in)));
        Runtime.getRuntime().halt(0); // whatever threads the driver has
    }

    private void serve(DataInputStream in) throws IOException {
        try {
            while (true) {
                String[] frame = frame(in);
                if (frame[0].equals("cancel")) {
                    cancel();
                } else {
                    worker.execute(() -> answer(frame));
                }
            }
        } catch (EOFException ended) {
            cancel();
        }
    }

    private static String[] frame(DataInputStream in) throws IOException {
        String[] texts = new String[in.readInt()];
        for (int i = 0; i < texts.length; i++) {
            byte[] bytes = new byte[in.readInt()];
            in.readFully(bytes);
            texts[i] = new String(bytes, StandardCharsets.UTF_8);
        }
        return texts;
    }

    private void cancel() {
        cancelled = true;
        Statement statement = running;
        if (statement != null) {
            try {
                statement.cancel();
            } catch (SQLException gone) {
                // It ended by itself.
            }
        }
    }

    private void answer(String[] frame) {
        try {
            switch (frame[0]) {
                case "connect" -> connect(frame);
                case "execute" -> execute(frame[1]);
                case "describe" -> describe(frame[1]);
                case "query" -> query(frame);
                case "catalog" -> catalog(frame);
                case "commit" -> connection.commit();
                case "rollback" -> connection.rollback();
                default -> throw new SQLException("unknown request");
            }
            out.writeByte('Z');
        } catch (Throwable error) {
            fail(error);
        }
        flush();
    }

    private void fail(Throwable error) {
        SQLException sql = error instanceof SQLException found ? found : null;
        StringBuilder text = new StringBuilder(String.valueOf(error.getMessage()));
        Throwable root = error;
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
            root = cause;
            if (cause.getMessage() != null && text.indexOf(cause.getMessage()) < 0) {
                text.append(": ").append(cause.getMessage());
            }
        }
        if (root != error && !(root instanceof SQLException)) {
            text.append(" (").append(root.getClass().getSimpleName()).append(')');
        }
        try {
            out.writeByte('F');
            text(error.getClass().getSimpleName());
            text(sql == null || sql.getSQLState() == null ? "" : sql.getSQLState());
            text(text.toString());
        } catch (IOException broken) {
            Runtime.getRuntime().halt(1); // nobody listens any more
        }
    }

    private void flush() {
        try {
            out.flush();
        } catch (IOException broken) {
            Runtime.getRuntime().halt(1);
        }
    }

    private void text(String value) throws IOException {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private void connect(String[] frame) throws Exception {
        if (!frame[2].isEmpty()) {
            Class.forName(frame[2]);
        }
        Properties properties = new Properties();
        for (int i = 3; i + 1 < frame.length; i += 2) {
            properties.setProperty(frame[i], frame[i + 1]);
        }
        connection = DriverManager.getConnection(frame[1], properties);
        // Without a transaction PostgreSQL's driver keeps whole results in memory.
        connection.setAutoCommit(false);
        out.writeByte('C');
        DatabaseMetaData about = connection.getMetaData();
        text(about.getDatabaseProductName());
        text(about.getDatabaseProductVersion());
        text(about.getIdentifierQuoteString());
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = started(connection.createStatement())) {
            statement.execute(sql);
        } finally {
            running = null;
        }
    }

    private <S extends Statement> S started(S statement) throws SQLException {
        running = statement;
        if (cancelled) {
            throw new SQLException("cancelled", "57014");
        }
        return statement;
    }

    private void describe(String sql) throws SQLException, IOException {
        try (PreparedStatement statement = started(connection.prepareStatement(sql))) {
            statement.setMaxRows(1);
            ResultSetMetaData columns = statement.getMetaData();
            if (columns == null) {
                columns = statement.executeQuery().getMetaData();
            }
            out.writeByte('D');
            out.writeInt(columns.getColumnCount());
            for (int i = 1; i <= columns.getColumnCount(); i++) {
                text(columns.getColumnLabel(i));
                text(columns.getColumnTypeName(i));
                out.writeInt(columns.getColumnType(i));
                out.writeInt(columns.getPrecision(i));
                out.writeInt(columns.getScale(i));
                out.writeByte(columns.isNullable(i) == ResultSetMetaData.columnNoNulls ? 0 : 1);
            }
        } finally {
            running = null;
        }
    }

    // query, sql, fetch size, number of values, values…, kinds of the columns…
    private void query(String[] frame) throws SQLException, IOException {
        int values = Integer.parseInt(frame[3]);
        String[] kinds = Arrays.copyOfRange(frame, 4 + values, frame.length);
        try (PreparedStatement statement = started(forward(frame[1]))) {
            statement.setFetchSize(Integer.parseInt(frame[2]));
            for (int i = 0; i < values; i++) {
                statement.setString(i + 1, frame[4 + i]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                send(rows, kinds);
            }
        } finally {
            running = null;
        }
    }

    private PreparedStatement forward(String sql) throws SQLException {
        return connection.prepareStatement(
                sql, ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY);
    }

    // What the driver itself knows of tables, their columns and keys, as texts.
    private void catalog(String[] frame) throws SQLException, IOException {
        DatabaseMetaData about = connection.getMetaData();
        String schema = frame.length > 2 ? frame[2] : null;
        String table = frame.length > 3 ? frame[3] : null;
        String[] names =
                switch (frame[1]) {
                    case "tables" -> new String[] {"TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"};
                    case "columns" -> new String[] {"COLUMN_NAME", "TYPE_NAME", "IS_NULLABLE", "REMARKS"};
                    default -> new String[] {"COLUMN_NAME", "KEY_SEQ"};
                };
        ResultSet found =
                switch (frame[1]) {
                    case "tables" -> about.getTables(
                            connection.getCatalog(), null, "%", new String[] {"TABLE", "VIEW"});
                    case "columns" -> about.getColumns(
                            connection.getCatalog(), escaped(about, schema), escaped(about, table), "%");
                    default -> about.getPrimaryKeys(connection.getCatalog(), none(schema), table);
                };
        try (ResultSet rows = found) {
            List<ColumnBuffer> buffers = buffers("text", names.length);
            int count = 0;
            while (rows.next()) {
                for (int i = 0; i < names.length; i++) {
                    ((TextBuffer) buffers.get(i)).add(rows.getString(names[i]));
                }
                count++;
            }
            batch(count, buffers);
        }
    }

    private static String none(String name) {
        return name == null || name.isEmpty() ? null : name;
    }

    private static String escaped(DatabaseMetaData about, String name) throws SQLException {
        String escape = about.getSearchStringEscape();
        if (none(name) == null || escape == null || escape.isEmpty()) {
            return none(name);
        }
        return name.replace(escape, escape + escape)
                .replace("_", escape + "_")
                .replace("%", escape + "%");
    }

    private static List<ColumnBuffer> buffers(String kind, int count) throws SQLException {
        List<ColumnBuffer> buffers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            buffers.add(ColumnBuffer.of(kind));
        }
        return buffers;
    }

    private void send(ResultSet rows, String[] kinds) throws SQLException, IOException {
        List<ColumnBuffer> buffers = new ArrayList<>();
        for (String kind : kinds) {
            buffers.add(ColumnBuffer.of(kind));
        }
        int count = 0;
        while (rows.next()) {
            int bytes = 0;
            for (int i = 0; i < kinds.length; i++) {
                ColumnBuffer buffer = buffers.get(i);
                try {
                    buffer.read(rows, i + 1);
                } catch (ArithmeticException misfit) {
                    throw new SQLException("column " + (i + 1) + ": " + misfit.getMessage(), "22003");
                }
                bytes += buffer.bytes();
            }
            count++;
            if (bytes >= BATCH_BYTES) {
                batch(count, buffers);
                count = 0;
                if (cancelled) {
                    throw new SQLException("cancelled", "57014");
                }
            }
        }
        if (count > 0) {
            batch(count, buffers);
        }
    }

    private void batch(int count, List<ColumnBuffer> buffers) throws IOException {
        out.writeByte('B');
        out.writeInt(count);
        for (ColumnBuffer buffer : buffers) {
            buffer.send(out, count);
        }
        out.flush();
    }

    // Bytes that grow, as Arrow lays them out: little-endian.
    private static final class Bytes {
        private ByteBuffer buffer = ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN);

        private ByteBuffer room(int bytes) {
            if (buffer.remaining() < bytes) {
                int size = Math.max(buffer.capacity() * 2, buffer.position() + bytes);
                ByteBuffer larger = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
                buffer = larger.put(buffer.flip());
            }
            return buffer;
        }

        private int size() {
            return buffer.position();
        }

        private void send(DataOutputStream out) throws IOException {
            out.writeInt(buffer.position());
            out.write(buffer.array(), 0, buffer.position());
            buffer.clear();
        }
    }

    private abstract static class ColumnBuffer {
        private final Bytes valid = new Bytes();
        private int rows;
        private int nulls;
        protected final Bytes data = new Bytes();

        static ColumnBuffer of(String kind) throws SQLException {
            String[] parts = kind.split(":");
            return switch (parts[0]) {
                case "bool", "int64", "float", "double", "date", "time", "timestamp", "timestamptz" ->
                        new FixedBuffer(parts[0]);
                case "decimal" -> new DecimalBuffer(Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
                case "binary" -> new BinaryBuffer();
                case "text" -> new TextBuffer();
                default -> throw new SQLException("unknown kind of column");
            };
        }

        abstract void read(ResultSet rows, int column) throws SQLException;

        int bytes() {
            return data.size();
        }

        protected final void mark(boolean there) {
            if (rows % 8 == 0) {
                valid.room(1).put((byte) 0);
            }
            if (there) {
                int at = rows / 8;
                valid.buffer.put(at, (byte) (valid.buffer.get(at) | 1 << rows % 8));
            } else {
                nulls++;
            }
            rows++;
        }

        void send(DataOutputStream out, int count) throws IOException {
            out.writeInt(nulls);
            valid.send(out);
            data.send(out);
            rows = 0;
            nulls = 0;
        }
    }

    private static final class FixedBuffer extends ColumnBuffer {
        private static final long MAX = Long.MAX_VALUE; // what stands for infinity
        private final String kind;

        FixedBuffer(String kind) {
            this.kind = kind;
        }

        @Override
        void read(ResultSet rows, int column) throws SQLException {
            switch (kind) {
                case "bool" -> data.room(1).put((byte) (rows.getBoolean(column) ? 1 : 0));
                case "int64" -> data.room(8).putLong(rows.getLong(column));
                case "float" -> data.room(4).putFloat(rows.getFloat(column));
                case "double" -> data.room(8).putDouble(rows.getDouble(column));
                case "date" -> data.room(4).putInt(days(rows.getObject(column, LocalDate.class)));
                case "time" -> data.room(8).putLong(micros(rows.getObject(column, LocalTime.class)));
                case "timestamp" ->
                        data.room(8).putLong(micros(rows.getObject(column, LocalDateTime.class)));
                default -> data.room(8).putLong(micros(rows.getObject(column, OffsetDateTime.class)));
            }
            mark(!rows.wasNull());
        }

        private static int days(LocalDate date) {
            if (date == null) {
                return 0;
            }
            if (date.equals(LocalDate.MAX) || date.equals(LocalDate.MIN)) {
                return date.equals(LocalDate.MAX) ? Integer.MAX_VALUE : -Integer.MAX_VALUE;
            }
            return Math.toIntExact(date.toEpochDay());
        }

        private static long micros(LocalTime time) {
            if (time == null) {
                return 0;
            }
            // PostgreSQL's driver says 24:00 so, which no time of its own is: those have microseconds.
            return time.equals(LocalTime.MAX) ? 86_400_000_000L : exactly(time.toNanoOfDay());
        }

        private static long micros(OffsetDateTime time) {
            if (time == null) {
                return 0;
            }
            if (time.equals(OffsetDateTime.MAX) || time.equals(OffsetDateTime.MIN)) {
                return time.equals(OffsetDateTime.MAX) ? MAX : -MAX;
            }
            return micros(time.withOffsetSameInstant(ZoneOffset.UTC).toLocalDateTime());
        }

        private static long micros(LocalDateTime time) {
            if (time == null) {
                return 0;
            }
            if (time.equals(LocalDateTime.MAX) || time.equals(LocalDateTime.MIN)) {
                return time.equals(LocalDateTime.MAX) ? MAX : -MAX;
            }
            long seconds = time.toEpochSecond(ZoneOffset.UTC);
            return Math.addExact(Math.multiplyExact(seconds, 1_000_000L), exactly(time.getNano()));
        }

        private static long exactly(long nanos) {
            if (nanos % 1000 != 0) {
                throw new ArithmeticException("a time has more digits than microseconds");
            }
            return nanos / 1000;
        }
    }

    private static final class DecimalBuffer extends ColumnBuffer {
        private final int precision;
        private final int scale;

        DecimalBuffer(int precision, int scale) {
            this.precision = precision;
            this.scale = scale;
        }

        @Override
        void read(ResultSet rows, int column) throws SQLException {
            BigDecimal value = rows.getBigDecimal(column);
            BigInteger whole = BigInteger.ZERO;
            if (value != null) {
                whole = value.setScale(scale, RoundingMode.UNNECESSARY).unscaledValue();
                if (value.setScale(scale, RoundingMode.UNNECESSARY).precision() > precision) {
                    throw new ArithmeticException("a number has more digits than its column");
                }
            }
            ByteBuffer room = data.room(16);
            room.putLong(whole.longValue());
            room.putLong(whole.shiftRight(64).longValue());
            mark(value != null);
        }
    }

    private static class BinaryBuffer extends ColumnBuffer {
        private final Bytes ends = new Bytes();

        @Override
        void read(ResultSet rows, int column) throws SQLException {
            put(rows.getBytes(column));
        }

        protected final void put(byte[] value) {
            if (value != null) {
                data.room(value.length).put(value);
            }
            ends.room(4).putInt(data.size());
            mark(value != null);
        }

        @Override
        void send(DataOutputStream out, int count) throws IOException {
            ends.send(out);
            super.send(out, count);
        }
    }

    private static final class TextBuffer extends BinaryBuffer {
        @Override
        void read(ResultSet rows, int column) throws SQLException {
            add(rows.getString(column));
        }

        void add(String value) {
            put(value == null ? null : value.getBytes(StandardCharsets.UTF_8));
        }
    }
}
