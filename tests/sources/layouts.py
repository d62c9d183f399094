"""Made-up files of the published layouts, and how to write and open them."""

import gzip
import json

from workbench.sources.logs import layout


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def lines(*objects):
    return "".join(json.dumps(thing) + "\n" for thing in objects)


OTTO = {
    "train.jsonl": lines(
        {
            "session": 7,
            "events": [
                {"aid": 3, "ts": 2_000, "type": "clicks"},
                {"aid": 4, "ts": 3_500, "type": "carts"},
            ],
        },
        {"session": 8, "events": [{"aid": 3, "ts": 1_000, "type": "orders"}]},
    )
}
MOVIES = {
    "rating.csv": '"userId","movieId","rating","timestamp"\n1,20,2.5,"2007-07-07 07:07:07"\n'
    '2,10,5,"2004-01-01 00:00:00"\n',
    "movie.csv.gz": 'movieId,title,genres\n10,"Rain, The (1999)",Drama|War\n'
    "20,Snow (2001),(no genres listed)\n30,Fog,War\n",
    "tag.csv": "userId,movieId,tag,timestamp\n1,10,slow,x\n2,10,slow,x\n2,10,sad end,x\n",
}
BOOKS = {
    "goodreads_interactions.csv": "user_id,book_id,is_read,rating,is_reviewed\n0,1,1,4,0\n0,0,0,0,0\n1,1,1,3,0\n",
    "book_id_map.csv": "book_id_csv,book_id\n0,900\n1,800\n",
    "goodreads_books.json": lines(
        {
            "book_id": "800",
            "title": "Low Tide",
            "description": "A tale.",
            "popular_shelves": [{"name": "sea"}],
        },
        {"book_id": "900", "title": "High Tide", "description": None, "popular_shelves": []},
    ),
    "goodreads_book_genres_initial.json": lines(
        {"book_id": "800", "genres": {"poetry": 4, "fiction": 2}}
    ),
}
AMAZON = {
    "Things.jsonl": lines(
        {"user_id": "A", "parent_asin": "X1", "rating": 4.0, "timestamp": 2_000, "text": "fine"},
        {"user_id": "B", "parent_asin": "X2", "rating": 2.0, "timestamp": 1_000},
    ),
    "meta_Things.jsonl.gz": lines(
        {
            "parent_asin": "X1",
            "title": "Cup",
            "store": "Potter",
            "price": 3.5,
            "categories": ["Home", "Cups"],
        }
        | {
            "description": ["for tea", "blue"],
            "features": [],
            "details": {"Weight": "1 kg", "Box": {"name": "b"}},
        },
        {"parent_asin": "X2", "title": None, "store": None, "price": "from 2.99", "categories": []},
    ),
}
MUSIC = {
    "relations/sessions.idomaar": 'event.session\t5\t100\t{"numtracks":2} '
    '{"subjects":[{"type":"user","id":9}],'
    '"objects":[{"type":"track","id":1,"playstart":0},{"type":"track","id":2,"playstart":60}]}\n'
    'event.session\t4\t50\t{"numtracks":1}\t{"subjects":[{"type":"user","id":9}],"objects":[{"type":"track","id":2}]}\n',
    "entities/tracks.idomaar": 'track\t1\t-1\t{"name":"The+Owls/_/Night"}\t'
    '{"artists":[{"id":3}],"tags":[{"id":70},{"id":71}]}\n'
    'track\t2\t-1\t{"name":null}\t{"artists":[],"tags":[]}\n',
    "entities/tags.idomaar": 'tag\t70\t-1\t{"value":"folk"}\t{}\ntag\t71\t-1\t{"value":"late+night"}\n',
    "entities/persons.idomaar": 'person\t3\t-1\t{"name":"The+Owls"}\t{}\n',
}
PLAYS = {
    "sessions_2018.csv": "user_id,source,timestamp,track_title,artist_name,musicbrainz_id,session_id\n"
    "u1,web,2018-03-03 03:13:13,'Rain, again',Owls,m1,11\nu1,web,2018-03-03 "
    '03:03:03,Say "hi",Owls,m2,11\n'
    "u2,web,2018-03-04 04:04:04,Rain,Owls,,12\n"
}
CARTS = {
    "orders.csv": "order_id,user_id,eval_set,order_number,order_dow\n5,1,prior,1,2\n6,1,train,2,3\n7,2,prior,1,3\n"
    "8,2,test,2,1\n",
    "order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered\n7,10,1,0\n5,11,2,0\n5,10,1,0\n",
    "order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered\n6,11,1,1\n",
    "products.csv": "product_id,product_name,aisle_id,department_id\n10,Oat Bread,3,1\n11,Red "
    "Wine,4,2\n12,Salt,3,1\n",
    "aisles.csv": "aisle_id,aisle\n3,bread\n4,wines\n",
}
HOMES = {
    "transaction_data.csv": "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,TRANS_TIME\n"
    "1,900,2,71,1,30\n1,900,2,70,1,30\n1,800,1,70,1,1830\n2,700,1,71,1,905\n",
    "product.csv": "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,CURR_SIZE_OF_PRODUCT\n"
    "70,1,GROCERY,National,BEERS/ALES,ALE CANS,6 PK\n71,1,GROCERY,Private,BREAD,RYE,\n",
}
SHOPS = {
    "ta_feng_all_months_merged.csv": "TRANSACTION_DT,CUSTOMER_ID,AGE_GROUP,PIN_CODE,PRODUCT_SUBCLASS,PRODUCT_ID\n"
    "5/2/2011,00000007,D,901,300,51\n5/1/2011,00000007,D,901,300,52\n5/1/2011,00000003,A,902,400,51\n"
}
DATASETS = {
    "otto": OTTO,
    "movielens_kaggle": MOVIES,
    "goodreads": BOOKS,
    "amazon": AMAZON,
    "thirty_music": MUSIC,
    "nowplaying": PLAYS,
    "instacart": CARTS,
    "dunnhumby": HOMES,
    "tafeng_csv": SHOPS,
}
OPTIONS = {"amazon": {"name": "Things"}}
TESTED_BESIDE = {"recbole", "movielens"}  # in test_tables


def opened(reader, folder, **changed):
    return layout(reader)(write(folder, DATASETS[reader] | changed), **OPTIONS.get(reader, {}))


def told(log, *columns):
    """Rows in log order: the original ids of user and item, then these columns."""
    frame = log.frame
    parts = [
        log.users[frame["user"]],
        log.items[frame["item"]],
        *(frame[column] for column in columns),
    ]
    return list(zip(*(list(part) for part in parts), strict=True))
