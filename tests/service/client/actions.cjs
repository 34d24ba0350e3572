// Calls each action of the Data API through the published client, and prints what each answered.
// Environment: API_URL, API_KEY, DATABASE.
"use strict";
const { createMongoDBDataAPI } = require("mongodb-data-api");

const { API_URL, API_KEY, DATABASE } = process.env;
const client = (apiKey, urlEndpoint = `${API_URL}/api/data/v1`) =>
  createMongoDBDataAPI({ apiKey, urlEndpoint })
    .$cluster("mongodb")
    .$database(DATABASE)
    .$collection("things");
const things = client(API_KEY);

const calls = [
  ["insertOne", { document: { _id: { $oid: "65f0c0ffee65f0c0ffee0001" }, name: "apple", n: 1 } }],
  ["insertMany", { documents: [{ _id: "b", name: "banana", n: 2 }, { _id: "c", name: "cherry" }] }],
  ["findOne", { filter: { _id: { $oid: "65f0c0ffee65f0c0ffee0001" } } }],
  ["find", { filter: { n: { $gte: 1 } }, projection: { name: 1, _id: 0 }, sort: { n: -1 } }],
  ["find", { sort: { name: 1 }, skip: 1, limit: 1 }],
  ["updateOne", { filter: { _id: "b" }, update: { $inc: { n: 5 } } }],
  ["updateOne", { filter: { _id: "d" }, update: { $set: { name: "date" } }, upsert: true }],
  ["updateMany", { filter: {}, update: { $set: { seen: true } } }],
  ["replaceOne", { filter: { _id: "c" }, replacement: { name: "currant" } }],
  ["aggregate", { pipeline: [{ $match: { seen: true } }, { $count: "seen" }] }],
  ["deleteOne", { filter: { _id: "d" } }],
  ["deleteMany", { filter: { seen: true } }],
];

(async () => {
  const answers = [];
  for (const [action, fields] of calls) answers.push([action, await things[action](fields)]);
  // A client that has the hosted API's address built in, and gets another host.
  const hosted = `${API_URL}/app/data-abcde/endpoint/data/v1`;
  answers.push(["findOne at the hosted path", await client(API_KEY, hosted).findOne({})]);
  const { status } = await client("a wrong key").findOne({}).catch((error) => error);
  answers.push(["findOne with a wrong key", status]);
  console.log(JSON.stringify(answers));
})();
